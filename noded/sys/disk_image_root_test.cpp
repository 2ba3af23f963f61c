#include "noded/sys/disk_image.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/statvfs.h>

#include "base/file.h"
#include "noded/sys/mount.h"
#include "tests/support/privileges.h"

namespace homeslice::sys {
namespace {

constexpr uint64_t kMebibyte = 1 << 20;

class DiskImageTest : public testing::Test {
protected:
    void SetUp() override {
        HS_REQUIRE_ROOT();
        directory_ = testing::TempDir() + "hst-image-XXXXXX";
        ASSERT_NE(::mkdtemp(directory_.data()), nullptr);
        place_ = directory_ + "/place";
        image_ = directory_ + "/image";
        ASSERT_EQ(makeDirectories(place_), absl::OkStatus());
    }
    void TearDown() override {
        if (directory_.empty()) return;
        EXPECT_EQ(detachMount(place_), absl::OkStatus());
        EXPECT_EQ(removeTree(directory_), absl::OkStatus());
    }
    void mount() {
        const auto mounted = mountDiskImage(image_);
        ASSERT_TRUE(mounted.ok()) << mounted.status();
        ASSERT_EQ(attachMount(mounted->get(), place_), absl::OkStatus());
    }
    double freeMebibytes() const {
        struct statvfs about {};
        EXPECT_EQ(::statvfs(place_.c_str(), &about), 0);
        return static_cast<double>(about.f_bavail) * static_cast<double>(about.f_frsize) / kMebibyte;
    }

    std::string directory_;
    std::string place_;
    std::string image_;
};

TEST_F(DiskImageTest, HasRoomForWhatWasAskedFor) {
    for (const uint64_t mebibytes : {uint64_t{16}, uint64_t{256}, uint64_t{20'000}}) {
        ASSERT_EQ(makeDiskImage(image_, mebibytes * kMebibyte), absl::OkStatus());
        mount();
        EXPECT_NEAR(freeMebibytes(), static_cast<double>(mebibytes), static_cast<double>(mebibytes) * 0.05);
        EXPECT_NEAR(static_cast<double>(diskImageSize(image_).value()) / kMebibyte, static_cast<double>(mebibytes), 2);
        ASSERT_EQ(detachMount(place_), absl::OkStatus());
    }
}

TEST_F(DiskImageTest, GrowsAndKeepsWhatIsOnIt) {
    ASSERT_EQ(makeDiskImage(image_, 32 * kMebibyte), absl::OkStatus());
    mount();
    ASSERT_EQ(replaceFile(place_ + "/kept", "kept"), absl::OkStatus());
    ASSERT_EQ(detachMount(place_), absl::OkStatus());
    ASSERT_EQ(growDiskImage(image_, 96 * kMebibyte), absl::OkStatus());
    mount();
    EXPECT_NEAR(freeMebibytes(), 96, 5);
    EXPECT_EQ(readFile(place_ + "/kept").value_or(""), "kept");
}

TEST_F(DiskImageTest, GrowsWhileItIsUsedOrSaysWhyNot) {
    ASSERT_EQ(makeDiskImage(image_, 32 * kMebibyte), absl::OkStatus());
    mount();
    const absl::Status grown = growMountedDiskImage(image_, place_, 96 * kMebibyte);
    if (grown.ok()) {
        EXPECT_NEAR(freeMebibytes(), 96, 5);
    } else {
        EXPECT_EQ(grown.code(), absl::StatusCode::kPermissionDenied) << grown;
        EXPECT_NEAR(freeMebibytes(), 32, 2);
    }
}

TEST_F(DiskImageTest, WhatIsNoImageIsRefused) {
    ASSERT_EQ(replaceFile(image_, "short"), absl::OkStatus());
    EXPECT_EQ(diskImageSize(image_).status().code(), absl::StatusCode::kDataLoss);
    EXPECT_FALSE(mountDiskImage(image_).ok());
}

}  // namespace
}  // namespace homeslice::sys
