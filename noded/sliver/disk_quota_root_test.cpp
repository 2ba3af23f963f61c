// Slivers with a limited disk on a node whose store is on btrfs, and their way to one whose store is not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "noded/sliver/test_node.h"
#include "noded/sys/subvolume.h"
#include "tests/support/btrfs.h"
#include "tests/support/privileges.h"

namespace homeslice::sliver {
namespace {

constexpr uint64_t kMebibyte = 1 << 20;

class DiskQuotaTest : public testing::Test {
protected:
    void SetUp() override {
        HS_REQUIRE_ROOT();
        ASSERT_EQ(TestNode::enterNetwork(), absl::OkStatus());
        btrfs_ = testing_support::Btrfs::make();
        ASSERT_NE(btrfs_, nullptr);
        auto created = TestNode::create("a", 0, btrfs_->path());
        ASSERT_TRUE(created.ok()) << created.status();
        node_ = std::move(*created);
        spec_ = node_->sliver(1);
        spec_.base.resources.disk_bytes = 32 * kMebibyte;
        node_->desire({spec_});
        ASSERT_TRUE(node_->reaches(spec_.id, State::running)) << node_->manager().inspect();
    }

    // How many mebibytes the sliver has written when it gets no more.
    int fill() {
        // Room that is asked for and not on the disk yet is counted generously: one mebibyte at a time.
        const CommandResult filled = node_->run(
            spec_.id,
            "while dd if=/dev/zero bs=256k count=1 conv=fsync 2>/dev/null >>/full; do :; done; du -m /full | cut -f1");
        return std::atoi(filled.output.c_str());
    }
    bool changesTo(uint64_t bytes) {
        ++spec_.generation;
        spec_.base.resources.disk_bytes = bytes;
        node_->desire({spec_});
        return node_->eventually([&] {
            const SliverReport report = node_->report(spec_.id);
            return report.generation == spec_.generation || !report.reason.empty();
        });
    }

    std::unique_ptr<testing_support::Btrfs> btrfs_;
    std::unique_ptr<TestNode> node_;
    SliverSpec spec_;
};

TEST_F(DiskQuotaTest, IsKeptByTheFileSystemAndChangesLive) {
    EXPECT_TRUE(sys::isSubvolume(node_->sliverDirectory(spec_.id) + "/disk"));
    EXPECT_NEAR(fill(), 32, 32 * 0.05);
    const pid_t process = node_->firstProcess(spec_.id);
    ASSERT_TRUE(changesTo(64 * kMebibyte)) << node_->manager().inspect();
    EXPECT_NEAR(fill(), 64, 64 * 0.05);
    ASSERT_TRUE(changesTo(16 * kMebibyte));
    EXPECT_THAT(node_->report(spec_.id).reason, testing::HasSubstr("more than 16777216 bytes are used"));
    ASSERT_EQ(node_->run(spec_.id, "rm /full && sync").status, 0);
    ASSERT_TRUE(node_->eventually([&] { return node_->report(spec_.id).reason.empty(); }));
    EXPECT_NEAR(fill(), 16, 16 * 0.05);
    EXPECT_EQ(node_->firstProcess(spec_.id), process);
}

TEST_F(DiskQuotaTest, OutlivesAStopAndARestartOfNoded) {
    ASSERT_EQ(node_->run(spec_.id, "echo kept >/kept").status, 0);
    ASSERT_EQ(node_->restart(), absl::OkStatus());
    spec_.run = DesiredRun::stopped;
    node_->desire({spec_});
    ASSERT_TRUE(node_->reaches(spec_.id, State::stopped)) << node_->manager().inspect();
    spec_.run = DesiredRun::running;
    spec_.generation = 2;
    spec_.base.resources.disk_bytes = 48 * kMebibyte;
    node_->desire({spec_});
    ASSERT_TRUE(node_->reaches(spec_.id, State::running)) << node_->manager().inspect();
    EXPECT_EQ(node_->run(spec_.id, "cat /kept").output, "kept\n");
    EXPECT_NEAR(fill(), 48, 48 * 0.05);
}

TEST_F(DiskQuotaTest, LeavesNothing) {
    fill();
    ASSERT_TRUE(node_->removesAll()) << node_->manager().inspect();
    EXPECT_THAT(node_->footprint(), testing::Not(testing::Contains(testing::HasSubstr("/slivers/"))));
    EXPECT_TRUE(btrfs_->awaitQuotaGroups(0));
}

TEST_F(DiskQuotaTest, MovesToANodeWithoutBtrfsAndBack) {
    auto created = TestNode::create("b");
    ASSERT_TRUE(created.ok()) << created.status();
    TestNode& other = **created;
    const auto export_from = [](TestNode& source) {
        return [&source](const SliverId& id, const DiskSource& from, int fd) {
            return source.manager().exportDisk(id, from.generation, fd);
        };
    };
    other.fetch_disk = export_from(*node_);
    node_->fetch_disk = export_from(other);
    const auto move = [&](TestNode& from, TestNode& to) {
        spec_.run = DesiredRun::stopped;
        from.desire({spec_});
        ASSERT_TRUE(from.reaches(spec_.id, State::stopped)) << from.manager().inspect();
        spec_.run = DesiredRun::running;
        spec_.disk_source.emplace().generation = spec_.generation;
        ++spec_.generation;
        spec_.base.image_digest = to.sliver(1).base.image_digest;
        to.desire({spec_});
        ASSERT_TRUE(to.reaches(spec_.id, State::running)) << to.manager().inspect();
    };
    ASSERT_EQ(node_->run(spec_.id, "dd if=/dev/zero of=/zeros bs=1M count=20 && echo here >/note").status, 0);
    move(*node_, other);
    ASSERT_EQ(other.run(spec_.id, "stat -c %s /zeros; echo there >>/note").output, "20971520\n");
    move(other, *node_);
    EXPECT_EQ(node_->run(spec_.id, "cat /note").output, "here\nthere\n");
    EXPECT_TRUE(sys::isSubvolume(node_->sliverDirectory(spec_.id) + "/disk"));
}

}  // namespace
}  // namespace homeslice::sliver
