#include "noded/sys/cgroup_fixture.h"

namespace homeslice::sys {
namespace {

class CgroupFreezerTest : public CgroupFixture {};

TEST_F(CgroupFreezerTest, WhatIsFrozenStandsStillUntilItIsLetGo) {
    const std::string group = makeGroup("frozen", {});
    run(group, "sh -c 'while :; do :; done'");
    const auto seconds = [&] { return cpuSeconds(group); };
    ASSERT_TRUE(eventually([&] { return seconds() > 0.05; }));
    ASSERT_EQ(cgroups_->freeze(group, true), absl::OkStatus());
    ASSERT_EQ(cgroups_->freeze(group, true), absl::OkStatus()) << "it may be repeated";
    EXPECT_EQ(ratePerSecond(seconds, 0.2), 0);
    ASSERT_EQ(cgroups_->freeze(group, false), absl::OkStatus());
    const double then = seconds();
    EXPECT_TRUE(eventually([&] { return seconds() > then; }));
}

TEST_F(CgroupFreezerTest, WhatIsFrozenCanBeKilled) {
    const std::string group = makeGroup("killed", {});
    const pid_t child = run(group, "sleep 1000");
    ASSERT_TRUE(eventually([&] { return cgroups_->processes(group).value().size() == 1; }));
    ASSERT_EQ(cgroups_->freeze(group, true), absl::OkStatus());
    ASSERT_EQ(cgroups_->killAll(group), absl::OkStatus());
    EXPECT_TRUE(WIFSIGNALED(waitFor(child)));
}

TEST_F(CgroupFreezerTest, WhatIsNotThereCannotBeFrozen) {
    EXPECT_EQ(cgroups_->freeze(parent_ + "/missing", true).code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace homeslice::sys
