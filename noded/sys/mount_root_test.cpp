#include "noded/sys/mount.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <filesystem>

#include "base/file.h"
#include "base/status.h"
#include "noded/sys/disk_image.h"
#include "noded/sys/namespace.h"
#include "tests/support/privileges.h"

namespace homeslice::sys {
namespace {

constexpr uint32_t kFirst = 70'000'000;

// An ext4, which every kernel can idmap, with the layers of an overlay: low/ with a file and a directory of root's,
// top/, upper/ and work/.
class MountTest : public ::testing::Test {
protected:
    void SetUp() override {
        HS_REQUIRE_ROOT();
        directory_ = ::testing::TempDir() + "hst-mount-XXXXXX";
        ASSERT_NE(::mkdtemp(directory_.data()), nullptr);
        image_ = directory_ + ".image";
        ASSERT_EQ(makeDiskImage(image_, 16 << 20), absl::OkStatus());
        auto layers = mountDiskImage(image_);
        ASSERT_TRUE(layers.ok()) << layers.status();
        ASSERT_TRUE(attachMount(layers->get(), directory_).ok());
        for (const char* name : {"/low/etc", "/top", "/upper", "/work", "/scratch"}) {
            ASSERT_TRUE(makeDirectories(directory_ + name).ok());
        }
        ASSERT_TRUE(replaceFile(directory_ + "/low/etc/name", "low\n", 0644).ok());
        ASSERT_TRUE(replaceFile(directory_ + "/low/hidden", "low\n", 0644).ok());
        ASSERT_TRUE(replaceFile(directory_ + "/top/hidden", "top\n", 0644).ok());
        auto users = makeUserNamespace(kFirst, 65'536);
        ASSERT_TRUE(users.ok()) << users.status();
        users_ = std::move(*users);
    }
    void TearDown() override {
        if (directory_.empty()) return;
        EXPECT_TRUE(detachMount(directory_).ok());
        EXPECT_EQ(::rmdir(directory_.c_str()), 0);
        EXPECT_TRUE(removeTree(image_).ok());
    }

    void checkOverlay(absl::StatusOr<UniqueFd> (*make)(const Overlay&)) {
        auto top = idmappedClone(directory_ + "/top", users_.get());
        auto low = idmappedClone(directory_ + "/low", users_.get(), kMountNoSuid);
        ASSERT_TRUE(top.ok()) << top.status();
        ASSERT_TRUE(low.ok()) << low.status();
        Overlay overlay;
        overlay.lower = {top->get(), low->get()};
        overlay.upper = directory_ + "/upper";
        overlay.work = directory_ + "/work";
        overlay.scratch = directory_ + "/scratch";
        const auto mounted = make(overlay);
        ASSERT_TRUE(mounted.ok()) << mounted.status();
        const std::string root = "/proc/self/fd/" + std::to_string(mounted->get());
        EXPECT_EQ(readFile(root + "/hidden").value_or(""), "top\n");
        EXPECT_EQ(readFile(root + "/etc/name").value_or(""), "low\n");
        struct stat about {};
        ASSERT_EQ(::stat((root + "/etc/name").c_str(), &about), 0);
        EXPECT_EQ(about.st_uid, kFirst);
        ASSERT_TRUE(replaceFile(root + "/etc/name", "changed\n").ok());
        EXPECT_EQ(readFile(directory_ + "/low/etc/name").value_or(""), "low\n");
        EXPECT_EQ(readFile(directory_ + "/upper/etc/name").value_or(""), "changed\n");
        struct statvfs flags {};
        ASSERT_EQ(::fstatvfs(mounted->get(), &flags), 0);
        EXPECT_TRUE(flags.f_flag & ST_NODEV);
        EXPECT_TRUE(std::filesystem::is_empty(directory_ + "/scratch"));
    }

    std::string directory_;
    std::string image_;
    UniqueFd users_;
};

TEST_F(MountTest, OverlayOfIdmappedLayers) { checkOverlay(makeOverlay); }
TEST_F(MountTest, OverlayByPathsAsOnOlderKernels) { checkOverlay(makeOverlayByPaths); }

TEST_F(MountTest, AnOverlayNeedsALayer) {
    EXPECT_TRUE(absl::IsInvalidArgument(makeOverlay({}).status()));
    Overlay overlay;
    const auto low = cloneMount(directory_ + "/low");
    ASSERT_TRUE(low.ok());
    overlay.lower = {low->get()};
    overlay.upper = directory_ + "/missing";
    overlay.work = directory_ + "/work";
    overlay.scratch = directory_ + "/scratch";
    EXPECT_EQ(errnoOf(makeOverlay(overlay).status()), ENOENT);
}

TEST_F(MountTest, ADetachedMountGoesWithItsDescriptor) {
    ASSERT_TRUE(makeDirectories(directory_ + "/place").ok());
    auto clone = cloneMount(directory_ + "/low");
    ASSERT_TRUE(clone.ok());
    EXPECT_FALSE(std::filesystem::exists(directory_ + "/place/hidden"));
    ASSERT_TRUE(setAttributes(clone->get(), kMountReadOnly).ok());
    ASSERT_TRUE(attachMount(clone->get(), directory_ + "/place").ok());
    EXPECT_EQ(errnoOf(replaceFile(directory_ + "/place/new", "x")), EROFS);
    EXPECT_TRUE(detachMount(directory_ + "/place").ok());
    EXPECT_TRUE(detachMount(directory_ + "/place").ok());
    EXPECT_TRUE(detachMount(directory_ + "/missing").ok());
}

TEST_F(MountTest, TheKernelsWordsAreKept) {
    const auto status = makeFileSystem("tmpfs", {{"no-such-option", "1"}}).status();
    EXPECT_EQ(errnoOf(status), EINVAL);
    EXPECT_NE(messageOf(status).find("Unknown parameter 'no-such-option'"), std::string::npos) << status;
    EXPECT_EQ(errnoOf(makeFileSystem("no-such-type", {}).status()), ENODEV);
    EXPECT_EQ(errnoOf(idmappedClone(directory_, users_.get() + 1000).status()), EBADF);
}

}  // namespace
}  // namespace homeslice::sys
