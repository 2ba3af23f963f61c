// Quotas of subvolumes, on a btrfs in a file.
#include "noded/sys/subvolume.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>

#include "base/file.h"
#include "base/status.h"
#include "tests/support/btrfs.h"
#include "tests/support/privileges.h"

namespace homeslice::sys {
namespace {

constexpr uint64_t kMebibyte = 1 << 20;

// Writes until it may not, and gives how much that was.
double mebibytesUntilFull(const std::string& path) {
    auto file = openFile(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (!file.ok()) return 0;
    const std::string block(kMebibyte / 4, 'x');
    double written = 0;
    while (writeAll(file->get(), block).ok() && written < 1000) {
        written += 0.25;
        // What is not on the disk yet is reserved generously.
        if (::fdatasync(file->get()) != 0) break;
    }
    return written;
}

class SubvolumeTest : public testing::Test {
protected:
    void SetUp() override {
        HS_REQUIRE_ROOT();
        btrfs_ = testing_support::Btrfs::make();
        ASSERT_NE(btrfs_, nullptr);
        volume_ = btrfs_->path() + "/disk";
        ASSERT_EQ(makeSubvolume(volume_), absl::OkStatus());
    }
    std::unique_ptr<testing_support::Btrfs> btrfs_;
    std::string volume_;
};

TEST_F(SubvolumeTest, IsToldFromADirectory) {
    EXPECT_TRUE(isOnBtrfs(volume_));
    EXPECT_TRUE(isSubvolume(volume_));
    ASSERT_EQ(makeDirectories(volume_ + "/directory"), absl::OkStatus());
    EXPECT_FALSE(isSubvolume(volume_ + "/directory"));
    EXPECT_FALSE(isOnBtrfs("/proc"));
    EXPECT_FALSE(isSubvolume("/proc"));
    EXPECT_FALSE(isOnBtrfs(volume_ + "/missing"));
    EXPECT_EQ(errnoOf(makeSubvolume(volume_)), EEXIST);
    EXPECT_FALSE(makeSubvolume("/proc/disk").ok());
}

TEST_F(SubvolumeTest, ALimitIsKeptWithin5PercentAndChangesLive) {
    EXPECT_EQ(subvolumeQuota(volume_).status().code(), absl::StatusCode::kFailedPrecondition) << "quotas are off";
    ASSERT_EQ(limitSubvolume(volume_, 32 * kMebibyte), absl::OkStatus());
    const double first = mebibytesUntilFull(volume_ + "/file");
    EXPECT_NEAR(first, 32, 32 * 0.05);
    ASSERT_EQ(limitSubvolume(volume_, 64 * kMebibyte), absl::OkStatus());
    EXPECT_NEAR(first + mebibytesUntilFull(volume_ + "/file"), 64, 64 * 0.05);
    const auto quota = subvolumeQuota(volume_);
    ASSERT_TRUE(quota.ok()) << quota.status();
    EXPECT_EQ(quota->limit, 64 * kMebibyte);
    EXPECT_NEAR(static_cast<double>(quota->used) / kMebibyte, 64, 64 * 0.05);
    ASSERT_EQ(limitSubvolume(volume_, 0), absl::OkStatus());
    EXPECT_EQ(subvolumeQuota(volume_)->limit, 0U);
    EXPECT_EQ(replaceFile(volume_ + "/another", std::string(8 * kMebibyte, 'x')), absl::OkStatus());
}

TEST_F(SubvolumeTest, AnothersIsNotCounted) {
    const std::string other = btrfs_->path() + "/other";
    ASSERT_EQ(makeSubvolume(other), absl::OkStatus());
    ASSERT_EQ(limitSubvolume(other, 16 * kMebibyte), absl::OkStatus());
    ASSERT_EQ(limitSubvolume(volume_, 16 * kMebibyte), absl::OkStatus());
    EXPECT_NEAR(mebibytesUntilFull(other + "/file"), 16, 16 * 0.05);
    EXPECT_NEAR(mebibytesUntilFull(volume_ + "/file"), 16, 16 * 0.05);
}

TEST_F(SubvolumeTest, IsRemovedWithAllThatIsInIt) {
    ASSERT_EQ(limitSubvolume(volume_, 32 * kMebibyte), absl::OkStatus());
    ASSERT_EQ(makeDirectories(volume_ + "/a/b"), absl::OkStatus());
    ASSERT_EQ(replaceFile(volume_ + "/a/b/file", std::string(kMebibyte, 'x')), absl::OkStatus());
    ASSERT_EQ(removeSubvolume(volume_), absl::OkStatus());
    EXPECT_NE(::access(volume_.c_str(), F_OK), 0);
    EXPECT_EQ(removeSubvolume(volume_), absl::OkStatus()) << "it may be repeated";
    EXPECT_TRUE(btrfs_->awaitQuotaGroups(0)) << "but the file system's own, none is left";
}

}  // namespace
}  // namespace homeslice::sys
