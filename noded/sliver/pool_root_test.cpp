// Slivers that got an environment made ahead: there is no difference but the time that it took.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <thread>

#include "base/file.h"
#include "noded/sliver/test_node.h"
#include "tests/support/privileges.h"

namespace homeslice::sliver {
namespace {

using testing::HasSubstr;

class PoolRootTest : public testing::Test {
protected:
    void SetUp() override {
        HS_REQUIRE_ROOT();
        ASSERT_TRUE(TestNode::enterNetwork().ok());
        auto created = TestNode::create("a", 2);
        ASSERT_TRUE(created.ok()) << created.status();
        node_ = std::move(*created);
        // The first one is what the pool learns the image from.
        ASSERT_TRUE(runs(node_->sliver(1)));
        ASSERT_TRUE(fills());
    }

    bool runs(const SliverSpec& spec) {
        wanted_.push_back(spec);
        node_->desire(wanted_);
        return node_->reaches(spec.id, State::running);
    }
    // Asked for at intervals: nobody tells.
    bool fills() const {
        const auto deadline = Monotonic::now() + std::chrono::seconds(30);
        while (node_->manager().poolLevel().second < 2 && Monotonic::now() < deadline) {
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
        return node_->manager().poolLevel().second == 2;
    }

    std::unique_ptr<TestNode> node_;
    std::vector<SliverSpec> wanted_;
};

TEST_F(PoolRootTest, IsASliverAsAnyOther) {
    SliverSpec spec = node_->sliver(2);
    spec.base.resources.pids = 40;
    ASSERT_TRUE(runs(spec));
    const std::string inspection = node_->manager().inspect();
    ASSERT_THAT(inspection, HasSubstr("/@pool.")) << "it was made ahead";
    const CommandResult inside = node_->run(
        spec.id, "hostname; cat /etc/hostname /etc/hosts; ip -6 addr show dev eth0; grep Seccomp: /proc/self/status");
    EXPECT_THAT(inside.output, testing::StartsWith("web-2\nweb-2\n"));
    EXPECT_THAT(inside.output, HasSubstr(spec.home_address.toString() + " web-2\n"));
    EXPECT_THAT(inside.output, HasSubstr(spec.home_address.toString() + "/128"));
    EXPECT_THAT(inside.output, HasSubstr(spec.slice_address.toString() + "/128"));
    EXPECT_THAT(inside.output, HasSubstr("Seccomp:\t2"));
    const std::string processes = "for n in $(seq 60); do sleep 5 & done 2>&1; wait";
    EXPECT_THAT(node_->run(spec.id, processes).output, HasSubstr("fork")) << "the limit of processes holds";
}

TEST_F(PoolRootTest, SurvivesNodedAndKeepsItsDisk) {
    SliverSpec spec = node_->sliver(2);
    ASSERT_TRUE(runs(spec));
    ASSERT_EQ(node_->run(spec.id, "echo kept > /kept").status, 0);
    const pid_t process = node_->firstProcess(spec.id);
    ASSERT_TRUE(node_->restart().ok());
    node_->desire(wanted_);
    ASSERT_TRUE(node_->reaches(spec.id, State::running));
    EXPECT_EQ(node_->firstProcess(spec.id), process);
    wanted_.back().run = DesiredRun::stopped;
    node_->desire(wanted_);
    ASSERT_TRUE(node_->reaches(spec.id, State::stopped));
    wanted_.back().run = DesiredRun::running;
    wanted_.back().generation += 1;
    node_->desire(wanted_);
    ASSERT_TRUE(node_->reaches(spec.id, State::running));
    EXPECT_EQ(node_->run(spec.id, "cat /kept").output, "kept\n");
}

TEST_F(PoolRootTest, LivesOnAndIsRemovedWithoutItsRecord) {
    const SliverSpec spec = node_->sliver(2);
    ASSERT_TRUE(runs(spec));
    const pid_t process = node_->firstProcess(spec.id);
    ASSERT_EQ(node_->breakRecord(spec.id), absl::OkStatus());
    EXPECT_EQ(node_->report(spec.id).state, State::failed);
    EXPECT_EQ(::kill(process, 0), 0) << "it was taken for an orphan";
    ASSERT_TRUE(node_->removesAll()) << node_->manager().inspect();
    EXPECT_THAT(node_->footprint(), testing::Not(testing::Contains(HasSubstr("web."))));
}

TEST_F(PoolRootTest, LeavesNothingOfANodedThatDied) {
    ASSERT_TRUE(node_->restartWithoutRecords().ok());
    for (const std::string& each : node_->footprint()) {
        EXPECT_THAT(each, testing::Not(HasSubstr("@pool"))) << "removed with all that no record knows";
    }
}

}  // namespace
}  // namespace homeslice::sliver
