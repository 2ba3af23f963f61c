// What a first start finds on its disk, and where files go over an image that means ill.
#include "noded/isolation/first_disk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/file.h"
#include "tests/support/privileges.h"

namespace homeslice::isolation {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr uint32_t kFirst = 71'000'000;

class FirstDiskTest : public testing::Test {
protected:
    void SetUp() override {
        HS_REQUIRE_ROOT();
        directory_ = testing::TempDir() + "hst-disk-XXXXXX";
        ASSERT_NE(::mkdtemp(directory_.data()), nullptr);
        image_ = directory_ + "/image";
        for (const char* name : {"/etc", "/usr/bin", "/var"}) fs::create_directories(image_ + name);
        runtime_.ids = {.first = kFirst, .count = 65536};
        runtime_.directory = directory_ + "/sliver";
        fs::create_directories(runtime_.diskDirectory());
        spec_.id = {.slice = "web", .index = 2};
        spec_.home_address = Ipv6Address::parse("fd51:1ce::1:2").value();
        spec_.slice_address = Ipv6Address::parse("fd51:1ce::1").value();
    }
    void TearDown() override {
        EXPECT_EQ(directory_.empty() ? absl::OkStatus() : removeTree(directory_), absl::OkStatus());
    }

    absl::Status make() const { return makeFirstDisk(spec_, runtime_, image_); }
    std::string inside(const std::string& path) const { return runtime_.upperDirectory() + path; }
    std::string text(const std::string& path) const { return readFile(inside(path)).value_or("nothing"); }
    struct stat about(const std::string& path) const {
        struct stat about {};
        EXPECT_EQ(::lstat(inside(path).c_str(), &about), 0) << path;
        return about;
    }
    void give(const std::string& path, uint32_t mode = 0644) {
        spec_.base.files.push_back({.path = path, .content = "given\n", .mode = mode});
    }

    std::string directory_;
    std::string image_;
    SliverRuntime runtime_;
    SliverSpec spec_;
};

TEST_F(FirstDiskTest, HasItsNamesAndNoResolverOfTheImages) {
    spec_.base.hosts = {{.address = Ipv6Address::parse("fd00::5").value(), .name = "db.example"}};
    spec_.base.resolver = {.servers = {"fd00::53"}, .search = {"example"}};
    ASSERT_EQ(make(), absl::OkStatus());
    EXPECT_EQ(text("/etc/hostname"), "web-2\n");
    EXPECT_THAT(text("/etc/hosts"), HasSubstr("fd51:1ce::1:2 web-2\nfd51:1ce::1 web\nfd00::5 db.example\n"));
    EXPECT_EQ(text("/etc/resolv.conf"), "nameserver fd00::53\nsearch example\n");
    EXPECT_EQ(about("").st_uid, kFirst);
    EXPECT_EQ(about("/etc/hosts").st_uid, kFirst);
}

TEST_F(FirstDiskTest, FilesComeWithTheirModesAndMayReplaceOurs) {
    give("/etc/hosts");
    give("/usr/bin/tool", 04755);
    give("/new/place/file", 0600);
    ASSERT_EQ(make(), absl::OkStatus());
    EXPECT_EQ(text("/etc/hosts"), "given\n");
    EXPECT_EQ(about("/usr/bin/tool").st_mode & 07777U, 04755U);
    EXPECT_EQ(about("/new/place/file").st_mode & 07777U, 0600U);
    EXPECT_EQ(about("/new/place").st_uid, kFirst);
}

TEST_F(FirstDiskTest, ADirectoryAboveAFileLooksAsInTheImage) {
    fs::create_directories(image_ + "/srv/data");
    ASSERT_EQ(::chown((image_ + "/srv/data").c_str(), 33, 44), 0);
    ASSERT_EQ(::chmod((image_ + "/srv/data").c_str(), 01770), 0);
    give("/srv/data/file");
    ASSERT_EQ(make(), absl::OkStatus());
    EXPECT_EQ(about("/srv/data").st_uid, kFirst + 33);
    EXPECT_EQ(about("/srv/data").st_gid, kFirst + 44);
    EXPECT_EQ(about("/srv/data").st_mode & 07777U, 01770U);
}

TEST_F(FirstDiskTest, GoesWhereTheImagesLinksLeadAndNeverOut) {
    fs::create_symlink("usr/bin", image_ + "/bin");
    fs::create_symlink(directory_ + "/outside", image_ + "/absolute");
    fs::create_symlink("../../../../../../outside", image_ + "/var/up");
    fs::create_directories(directory_ + "/outside");
    fs::create_directories(image_ + "/outside");
    give("/bin/tool");
    give("/var/up/file");
    give("/absolute/file");
    ASSERT_EQ(make(), absl::OkStatus());
    EXPECT_EQ(text("/usr/bin/tool"), "given\n");
    EXPECT_FALSE(fs::exists(inside("/bin")));
    EXPECT_EQ(text("/outside/file"), "given\n") << "the image's root is where .. ends";
    EXPECT_TRUE(fs::is_empty(directory_ + "/outside")) << "not the node's";
}

TEST_F(FirstDiskTest, AFileWhereTheImageHasNoPlaceIsRefusedAndLeavesNoDisk) {
    ASSERT_EQ(replaceFile(image_ + "/etc/file", "of the image\n"), absl::OkStatus());
    give("/etc/file/below");
    const absl::Status refused = make();
    EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument) << refused;
    EXPECT_THAT(refused.ToString(), HasSubstr("no directory in the image"));
    EXPECT_FALSE(fs::exists(runtime_.upperDirectory()));
}

TEST_F(FirstDiskTest, ADiskThatIsThereIsLeftAlone) {
    ASSERT_EQ(make(), absl::OkStatus());
    ASSERT_EQ(replaceFile(inside("/etc/hostname"), "renamed\n"), absl::OkStatus());
    give("/etc/late");
    ASSERT_EQ(make(), absl::OkStatus());
    EXPECT_EQ(text("/etc/hostname"), "renamed\n");
    EXPECT_FALSE(fs::exists(inside("/etc/late")));
}

TEST_F(FirstDiskTest, WhatADeathHasLeftIsNoDisk) {
    fs::create_directories(runtime_.diskDirectory() + "/draft/etc");
    ASSERT_EQ(replaceFile(runtime_.diskDirectory() + "/draft/etc/half", "done"), absl::OkStatus());
    ASSERT_EQ(make(), absl::OkStatus());
    EXPECT_FALSE(fs::exists(inside("/etc/half")));
    EXPECT_EQ(text("/etc/hostname"), "web-2\n");
}

TEST_F(FirstDiskTest, OneMadeAheadHasItsNamesEmpty) {
    ASSERT_EQ(makeFirstDisk(spec_, runtime_, image_, true), absl::OkStatus());
    EXPECT_EQ(text("/etc/hostname"), "");
    EXPECT_EQ(text("/etc/hosts"), "");
}

}  // namespace
}  // namespace homeslice::isolation
