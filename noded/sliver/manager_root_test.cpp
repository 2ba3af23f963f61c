// The life of real slivers: start, end, stop, restart of noded, move of a disk, removal.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "base/file.h"
#include "noded/sliver/test_node.h"
#include "tests/support/privileges.h"

namespace homeslice::sliver {
namespace {

using testing::HasSubstr;

class ManagerRootTest : public testing::Test {
protected:
    void SetUp() override {
        HS_REQUIRE_ROOT();
        ASSERT_EQ(TestNode::enterNetwork(), absl::OkStatus());
        auto created = TestNode::create("a");
        ASSERT_TRUE(created.ok()) << created.status();
        node_ = std::move(*created);
    }

    std::unique_ptr<TestNode> node_;
};

TEST_F(ManagerRootTest, StartsAndExecutes) {
    const SliverSpec spec = node_->sliver(2);
    node_->desire({spec});
    ASSERT_TRUE(node_->reaches(spec.id, State::running)) << node_->manager().inspect();
    const CommandResult result = node_->run(spec.id, "hostname; id -u; cat /etc/hostname; exit 7");
    EXPECT_EQ(result.status, 7);
    EXPECT_EQ(result.output, "web-2\n0\nweb-2\n");
    EXPECT_GT(node_->report(spec.id).memory_bytes, 0U);
}

TEST_F(ManagerRootTest, ACommandThatEndsLeavesStatusAndLog) {
    const SliverSpec spec = node_->sliver(1, {"sh", "-c", "echo to the log; exit 3"});
    node_->desire({spec});
    ASSERT_TRUE(node_->reaches(spec.id, State::exited)) << node_->manager().inspect();
    EXPECT_EQ(node_->report(spec.id).exit_status, 3);
    const auto logs = node_->manager().logDirectory(spec.id);
    ASSERT_TRUE(logs.ok()) << logs.status();
    EXPECT_THAT(readFile(*logs + "/log").value(), HasSubstr("stdout F to the log"));
}

TEST_F(ManagerRootTest, AnUnknownCommandSaysSo) {
    const SliverSpec spec = node_->sliver(1, {"no-such-program"});
    node_->desire({spec});
    ASSERT_TRUE(node_->eventually([&] {
        const State state = node_->report(spec.id).state;
        return state == State::failed || state == State::exited;
    }));
    const SliverReport report = node_->report(spec.id);
    EXPECT_TRUE(report.state == State::failed || report.exit_status == 127) << report.reason;
    EXPECT_NE(report.reason, "");
}

TEST_F(ManagerRootTest, StopKeepsTheDiskAndStartsAgain) {
    SliverSpec spec = node_->sliver(1);
    node_->desire({spec});
    ASSERT_TRUE(node_->reaches(spec.id, State::running)) << node_->manager().inspect();
    ASSERT_EQ(node_->run(spec.id, "echo kept > /kept").status, 0);
    spec.run = DesiredRun::stopped;
    spec.generation = 2;
    const auto began = Monotonic::now();
    node_->desire({spec});
    ASSERT_TRUE(node_->reaches(spec.id, State::stopped)) << node_->manager().inspect();
    EXPECT_LT(Monotonic::now() - began, std::chrono::seconds(5)) << "an idling sliver stops when asked";
    spec.run = DesiredRun::running;
    spec.generation = 3;
    node_->desire({spec});
    ASSERT_TRUE(node_->reaches(spec.id, State::running)) << node_->manager().inspect();
    EXPECT_EQ(node_->run(spec.id, "cat /kept").output, "kept\n");
}

TEST_F(ManagerRootTest, ARestartOfNodedDisturbsNothing) {
    const SliverSpec spec = node_->sliver(1, {"sleep", "1000"});
    node_->desire({spec});
    ASSERT_TRUE(node_->reaches(spec.id, State::running)) << node_->manager().inspect();
    const pid_t before = node_->firstProcess(spec.id);
    ASSERT_EQ(node_->restart(), absl::OkStatus());
    EXPECT_EQ(node_->report(spec.id).state, State::running);
    EXPECT_EQ(node_->firstProcess(spec.id), before);
    EXPECT_EQ(node_->run(spec.id, "echo alive").output, "alive\n");
    node_->desire({spec});
    // And its end is seen, though this noded did not start it. It takes killall along, sooner or later.
    node_->run(spec.id, "killall sleep");
    ASSERT_TRUE(node_->reaches(spec.id, State::exited));
    EXPECT_EQ(node_->report(spec.id).exit_status, 143);
}

TEST_F(ManagerRootTest, WhatIsKilledFromOutsideComesBack) {
    const SliverSpec spec = node_->sliver(1);
    node_->desire({spec});
    ASSERT_TRUE(node_->reaches(spec.id, State::running)) << node_->manager().inspect();
    const pid_t before = node_->firstProcess(spec.id);
    ASSERT_EQ(::kill(before, SIGKILL), 0);
    ASSERT_TRUE(node_->eventually([&] {
        return node_->report(spec.id).state == State::running && node_->firstProcess(spec.id) != before;
    })) << node_->manager().inspect();
    EXPECT_EQ(node_->run(spec.id, "true").status, 0);
}

// Killed at moments all through the start, stop and removal of slivers, noded ends up with the picture it is given
// last.
TEST_F(ManagerRootTest, ConvergesWhereverItIsKilled) {
    std::vector<SliverSpec> all = {node_->sliver(1), node_->sliver(2, {"sleep", "1000"}), node_->sliver(3)};
    node_->desire(all);
    for (const SliverSpec& spec : all) ASSERT_TRUE(node_->reaches(spec.id, State::running));
    ASSERT_TRUE(node_->removesAll());
    const std::vector<std::string> before = node_->footprint();
    for (int i = 0; i < 24; ++i) {
        const std::chrono::milliseconds delay(5 + 3 * i);
        std::vector<SliverSpec> picture = all;
        if (i % 3 == 1) picture.clear();
        if (i % 3 == 2) picture[0].base.resources.pids = 10 + static_cast<uint32_t>(i);  // stop and start
        ASSERT_EQ(node_->killDuring(picture, delay), absl::OkStatus()) << i;
    }
    ASSERT_EQ(node_->restart(), absl::OkStatus());
    for (SliverSpec& spec : all) spec.generation = 2;
    node_->desire(all);
    for (const SliverSpec& spec : all) {
        ASSERT_TRUE(node_->eventually([&] {
            return node_->report(spec.id).state == State::running && node_->report(spec.id).generation == 2;
        })) << node_->manager().inspect();
        EXPECT_EQ(node_->run(spec.id, "echo alive").output, "alive\n");
    }
    ASSERT_TRUE(node_->removesAll());
    EXPECT_EQ(node_->footprint(), before);
}

TEST_F(ManagerRootTest, WhatNoRecordKnowsIsRemoved) {
    const SliverSpec spec = node_->sliver(1, {"sleep", "1000"});
    node_->desire({spec});
    ASSERT_TRUE(node_->reaches(spec.id, State::running)) << node_->manager().inspect();
    ASSERT_TRUE(node_->removesAll());
    const std::vector<std::string> before = node_->footprint();
    node_->desire({spec});
    ASSERT_TRUE(node_->reaches(spec.id, State::running));
    ASSERT_EQ(node_->restartWithoutRecords(), absl::OkStatus());
    EXPECT_EQ(node_->footprint(), before);
}

TEST_F(ManagerRootTest, RemovalLeavesNothing) {
    const SliverSpec first = node_->sliver(1, {"sleep", "1000"});
    node_->desire({first});
    ASSERT_TRUE(node_->reaches(first.id, State::running)) << node_->manager().inspect();
    ASSERT_TRUE(node_->removesAll());
    const std::vector<std::string> before = node_->footprint();
    std::vector<SliverSpec> many;
    for (uint32_t i = 1; i <= 5; ++i) many.push_back(node_->sliver(i, {"sleep", "1000"}));
    node_->desire(many);
    for (const SliverSpec& spec : many) ASSERT_TRUE(node_->reaches(spec.id, State::running));
    EXPECT_NE(node_->footprint(), before);
    ASSERT_TRUE(node_->removesAll());
    EXPECT_EQ(node_->footprint(), before);
}

TEST_F(ManagerRootTest, TenSliversStartAtOnce) {
    const SliverSpec warm_up = node_->sliver(100);  // the image is unpacked with it
    node_->desire({warm_up});
    ASSERT_TRUE(node_->reaches(warm_up.id, State::running)) << node_->manager().inspect();
    std::vector<SliverSpec> ten = {warm_up};
    for (uint32_t i = 1; i <= 10; ++i) ten.push_back(node_->sliver(i));
    const auto began = Monotonic::now();
    node_->desire(ten);
    for (const SliverSpec& spec : ten) ASSERT_TRUE(node_->reaches(spec.id, State::running));
    const auto spent = std::chrono::duration_cast<std::chrono::milliseconds>(Monotonic::now() - began).count();
    RecordProperty("milliseconds", static_cast<int>(spent));
    std::printf("ten slivers in %d ms\n", static_cast<int>(spent));
    EXPECT_LT(spent, 1000) << "under 100 ms each";
}

TEST_F(ManagerRootTest, ADiskMovesToAnotherNode) {
    auto created = TestNode::create("b");
    ASSERT_TRUE(created.ok()) << created.status();
    TestNode& other = **created;
    SliverSpec spec = node_->sliver(1);
    node_->desire({spec});
    ASSERT_TRUE(node_->reaches(spec.id, State::running)) << node_->manager().inspect();
    ASSERT_EQ(node_->run(spec.id, "mkdir /data && echo moved > /data/f && chown 33:33 /data/f && rm /bin/vi").status,
              0);
    spec.run = DesiredRun::stopped;
    node_->desire({spec});
    ASSERT_TRUE(node_->reaches(spec.id, State::stopped));

    other.fetch_disk = [this](const SliverId& id, const DiskSource& source, int fd) {
        return node_->manager().exportDisk(id, source.generation, fd);
    };
    spec = other.sliver(1);
    spec.generation = 2;
    spec.disk_source.emplace().generation = 1;
    other.desire({spec});
    ASSERT_TRUE(other.reaches(spec.id, State::running)) << other.manager().inspect();
    EXPECT_EQ(other.run(spec.id, "cat /data/f; stat -c %u:%g /data/f; ls /bin/vi 2>/dev/null").output,
              "moved\n33:33\n");
}

}  // namespace
}  // namespace homeslice::sliver
