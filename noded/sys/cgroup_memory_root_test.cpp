// Limits of memory and processes, with processes that want more.
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/mman.h>

#include <cstring>

#include "noded/sys/cgroup_fixture.h"

namespace homeslice::sys {
namespace {

using testing::HasSubstr;

constexpr uint64_t kMiB = 1 << 20;

// Memory that cannot be reclaimed without swap.
void hold(uint64_t bytes) {
    void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) ::_exit(98);
    std::memset(memory, 1, bytes);
}

class CgroupMemoryTest : public CgroupFixture {
protected:
    std::string hardLimit(const std::string& group) {
        return text(group, "memory", "memory.limit_in_bytes", "memory.max");
    }
    bool isV1() const { return !cgroups_->controlFile(1, "memory", "", "").empty(); }
};

TEST_F(CgroupMemoryTest, TakingMoreEndsTheProcessAndTellsWhich) {
    const std::string group = makeGroup("small", {.memory_bytes = 24 * kMiB});
    const pid_t child = run(group, "stress-ng --quiet --vm 1 --vm-bytes 200m --vm-keep --oomable --timeout 20");
    waitFor(child);
    EXPECT_GE(cgroups_->usage(group)->oom_kills, 1U);
    const auto victim = lastOomVictim(group);
    ASSERT_TRUE(victim.has_value());
    EXPECT_THAT(victim->name, HasSubstr("stress-ng"));
    EXPECT_GT(victim->pid, 0);
    EXPECT_FALSE(lastOomVictim(parent_ + "/mall").has_value());
    EXPECT_LE(cgroups_->usage(group)->memory_bytes, 24 * kMiB);
}

TEST_F(CgroupMemoryTest, UsesAllOfTheLimitAndNoMore) {
    const std::string group = makeGroup("exact", {.memory_bytes = 64 * kMiB});
    const pid_t fits = spawn(group, [] { hold(60 * kMiB); });
    EXPECT_EQ(waitFor(fits), 0);
    EXPECT_EQ(cgroups_->usage(group)->oom_kills, 0U);
    const pid_t exceeds = spawn(group, [] { hold(65 * kMiB); });
    EXPECT_TRUE(WIFSIGNALED(waitFor(exceeds)));
    EXPECT_EQ(cgroups_->usage(group)->oom_kills, 1U);
}

TEST_F(CgroupMemoryTest, ChangesUpAndDownAndToNone) {
    const std::string group = makeGroup("live", {.memory_bytes = 32 * kMiB});
    for (const uint64_t size : {128 * kMiB, 16 * kMiB, 64 * kMiB}) {
        ASSERT_EQ(cgroups_->setLimits(group, {.memory_bytes = size, .swap_bytes = 8 * kMiB}), absl::OkStatus());
        EXPECT_EQ(hardLimit(group), std::to_string(size));
        if (isV1()) {
            EXPECT_EQ(text(group, "memory", "memory.memsw.limit_in_bytes", ""), std::to_string(size + 8 * kMiB));
        } else {
            EXPECT_EQ(text(group, "memory", "", "memory.swap.max"), std::to_string(8 * kMiB));
        }
    }
    ASSERT_EQ(cgroups_->setLimits(group, {}), absl::OkStatus());
    const pid_t child = spawn(group, [] { hold(100 * kMiB); });
    EXPECT_EQ(waitFor(child), 0);
}

TEST_F(CgroupMemoryTest, ALimitUnderWhatIsInUseIsRefusedAndEndsNobody) {
    const std::string group = makeGroup("full", {.memory_bytes = 96 * kMiB});
    const pid_t child = spawn(group, [] {
        hold(64 * kMiB);
        ::pause();
    });
    ASSERT_TRUE(eventually([&] { return cgroups_->usage(group)->memory_bytes > 64 * kMiB; }));
    const absl::Status refused = cgroups_->setLimits(group, {.memory_bytes = 32 * kMiB});
    EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(refused.ToString(), HasSubstr("memory limit 32 MiB: 6"));
    EXPECT_THAT(refused.ToString(), HasSubstr("MiB are in use"));
    EXPECT_EQ(hardLimit(group), std::to_string(96 * kMiB));
    EXPECT_EQ(::kill(child, 0), 0);
    EXPECT_EQ(cgroups_->usage(group)->oom_kills, 0U);
}

TEST_F(CgroupMemoryTest, AHighMarkIsWritten) {
    const std::string group = makeGroup("high", {.memory_bytes = 64 * kMiB, .memory_high_bytes = 48 * kMiB});
    EXPECT_EQ(text(group, "memory", "memory.soft_limit_in_bytes", "memory.high"), std::to_string(48 * kMiB));
    ASSERT_EQ(cgroups_->setLimits(group, {.memory_bytes = 64 * kMiB}), absl::OkStatus());
    EXPECT_NE(text(group, "memory", "memory.soft_limit_in_bytes", "memory.high"), std::to_string(48 * kMiB));
}

TEST_F(CgroupMemoryTest, NoMoreProcessesThanAllowed) {
    const std::string group = makeGroup("few", {.pids = 10});
    const auto forks = [&] {
        const pid_t child = spawn(group, [] {
            int made = 0;
            while (made < 50) {
                const pid_t grandchild = ::fork();
                if (grandchild < 0) break;
                if (grandchild == 0) {
                    ::pause();
                    ::_exit(0);
                }
                ++made;
            }
            ::_exit(made);
        });
        return WEXITSTATUS(waitFor(child));
    };
    EXPECT_EQ(forks(), 9) << "and itself";
    endAll(group);
    ASSERT_EQ(cgroups_->setLimits(group, {.pids = 20}), absl::OkStatus());
    EXPECT_EQ(forks(), 19);
    endAll(group);
    ASSERT_EQ(cgroups_->setLimits(group, {}), absl::OkStatus());
    EXPECT_EQ(forks(), 50);
}

}  // namespace
}  // namespace homeslice::sys
