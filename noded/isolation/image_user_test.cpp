#include "noded/isolation/image_user.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

namespace homeslice::isolation {
namespace {

class ImageUserTest : public testing::Test {
protected:
    void SetUp() override {
        char name[] = "/tmp/hst-image-XXXXXX";
        ASSERT_NE(::mkdtemp(name), nullptr);
        rootfs_ = name;
        ASSERT_TRUE(makeDirectories(rootfs_ + "/etc").ok());
        ASSERT_TRUE(
            replaceFile(rootfs_ + "/etc/passwd",
                        "root:x:0:0::/root:/bin/sh\nwww-data:x:33:34::/:\nhuge:x:99999999:1::/:\nbad:x:y:1::/:\n")
                .ok());
        ASSERT_TRUE(replaceFile(rootfs_ + "/etc/group", "root:x:0:\nadm:x:4:\n").ok());
    }
    void TearDown() override { EXPECT_TRUE(removeTree(rootfs_).ok()); }

    absl::StatusCode codeOf(const std::string& user) { return resolveImageUser(rootfs_, user).status().code(); }

    std::string rootfs_;
};

TEST_F(ImageUserTest, ResolvesNamesAndNumbers) {
    const std::vector<std::tuple<std::string, uint32_t, uint32_t>> cases = {
        {"", 0, 0}, {"root", 0, 0}, {"www-data", 33, 34}, {"www-data:adm", 33, 4}, {"7", 7, 0}, {"7:8", 7, 8}};
    for (const auto& [user, uid, gid] : cases) {
        const auto found = resolveImageUser(rootfs_, user);
        ASSERT_TRUE(found.ok()) << user << found.status();
        EXPECT_EQ(found->uid, uid) << user;
        EXPECT_EQ(found->gid, gid) << user;
    }
}

TEST_F(ImageUserTest, RefusesWhatASliverCannotBe) {
    EXPECT_EQ(codeOf("nobody"), absl::StatusCode::kNotFound);
    EXPECT_EQ(codeOf("root:nogroup"), absl::StatusCode::kNotFound);
    EXPECT_EQ(codeOf("65536"), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(codeOf("1:4294967295"), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(codeOf("huge"), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(codeOf("bad"), absl::StatusCode::kInvalidArgument);
}

TEST_F(ImageUserTest, ReadsNeitherAFileWithoutEndNorAPipe) {
    const std::string passwd = rootfs_ + "/etc/passwd";
    ASSERT_EQ(::truncate(passwd.c_str(), off_t{1} << 40), 0);
    EXPECT_EQ(codeOf("www-data"), absl::StatusCode::kInvalidArgument);
    ASSERT_EQ(::unlink(passwd.c_str()), 0);
    ASSERT_EQ(::mkfifo(passwd.c_str(), 0600), 0);
    EXPECT_EQ(codeOf("www-data"), absl::StatusCode::kInvalidArgument);
}

TEST_F(ImageUserTest, DoesNotFollowALinkOutOfTheImage) {
    ASSERT_EQ(::unlink((rootfs_ + "/etc/passwd").c_str()), 0);
    ASSERT_EQ(::symlink("/etc/hostname", (rootfs_ + "/etc/passwd").c_str()), 0);
    EXPECT_EQ(codeOf("root"), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace homeslice::isolation
