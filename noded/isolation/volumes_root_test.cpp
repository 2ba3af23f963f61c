// Which directories of the node a sliver may be given, and which way there is taken.
#include "noded/isolation/volumes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <filesystem>

#include "base/file.h"
#include "noded/sys/namespace.h"
#include "tests/support/privileges.h"

namespace homeslice::isolation {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr uint32_t kFirst = 72'000'000;

class VolumesTest : public testing::Test {
protected:
    void SetUp() override {
        HS_REQUIRE_ROOT();
        directory_ = testing::TempDir() + "hst-volumes-XXXXXX";
        ASSERT_NE(::mkdtemp(directory_.data()), nullptr);
        allowed_ = directory_ + "/allowed";
        fs::create_directories(allowed_ + "/data/deep");
        fs::create_directories(allowed_ + "ed");  // a longer name is not below it
        auto users = sys::makeUserNamespace(kFirst, 65'536);
        ASSERT_TRUE(users.ok()) << users.status();
        users_ = std::move(*users);
    }
    void TearDown() override {
        EXPECT_EQ(directory_.empty() ? absl::OkStatus() : removeTree(directory_), absl::OkStatus());
    }
    absl::StatusOr<UniqueFd> open(const std::string& source, bool read_only = false) const {
        return openVolume({.source = source, .target = "/data", .read_only = read_only}, {"/nowhere", allowed_},
                          users_.get());
    }
    static unsigned long flagsOf(const UniqueFd& mount) {
        struct statvfs about {};
        EXPECT_EQ(::fstatvfs(mount.get(), &about), 0);
        return about.f_flag;
    }

    std::string directory_;
    std::string allowed_;
    UniqueFd users_;
};

TEST_F(VolumesTest, TheAllowedDirectoryAndAllBelowItMayBeGiven) {
    for (const char* below : {"", "/data", "/data/deep"}) {
        const auto mount = open(allowed_ + below);
        ASSERT_TRUE(mount.ok()) << mount.status();
        EXPECT_TRUE((flagsOf(*mount) & (ST_NOSUID | ST_NODEV)) == (ST_NOSUID | ST_NODEV));
        EXPECT_FALSE(flagsOf(*mount) & ST_RDONLY);
    }
    const auto read_only = open(allowed_ + "/data", true);
    ASSERT_TRUE(read_only.ok()) << read_only.status();
    EXPECT_TRUE(flagsOf(*read_only) & ST_RDONLY);
}

TEST_F(VolumesTest, AFileOfIdZeroIsTheSliversRoots) {
    ASSERT_EQ(replaceFile(allowed_ + "/data/file", "text"), absl::OkStatus());
    const auto mount = open(allowed_ + "/data");
    ASSERT_TRUE(mount.ok()) << mount.status();
    struct stat about {};
    ASSERT_EQ(::fstatat(mount->get(), "file", &about, 0), 0);
    EXPECT_EQ(about.st_uid, kFirst);
}

TEST_F(VolumesTest, WhatTheNodeDoesNotAllowIsRefused) {
    for (const std::string& source : {std::string("/etc"), directory_, allowed_ + "ed", std::string("/")}) {
        const auto refused = open(source);
        EXPECT_EQ(refused.status().code(), absl::StatusCode::kPermissionDenied) << source;
        EXPECT_THAT(refused.status().ToString(), HasSubstr("noded --volume"));
    }
    EXPECT_EQ(openVolume({.source = allowed_, .target = "/data"}, {}, users_.get()).status().code(),
              absl::StatusCode::kPermissionDenied);
}

TEST_F(VolumesTest, NoLinkIsFollowedAndNoWayUpTaken) {
    fs::create_symlink("/etc", allowed_ + "/link");
    fs::create_symlink("data", allowed_ + "/inner");
    for (const char* below : {"/link", "/inner", "/inner/deep"}) {
        const auto refused = open(allowed_ + below);
        EXPECT_EQ(refused.status().code(), absl::StatusCode::kPermissionDenied) << below;
        EXPECT_THAT(refused.status().ToString(), HasSubstr("symbolic link"));
    }
    EXPECT_FALSE(open(allowed_ + "/../allowed").ok());
    EXPECT_FALSE(open(allowed_ + "/data/../../..").ok());
}

TEST_F(VolumesTest, WhatIsNoDirectoryIsRefused) {
    ASSERT_EQ(replaceFile(allowed_ + "/file", "text"), absl::OkStatus());
    EXPECT_FALSE(open(allowed_ + "/file").ok());
    EXPECT_EQ(open(allowed_ + "/missing").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace homeslice::isolation
