#include "base/file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>

#include "base/status.h"

namespace homeslice {
namespace {

class FileTest : public testing::Test {
protected:
    void SetUp() override {
        char path[] = "/tmp/homeslice-file-XXXXXX";
        ASSERT_NE(::mkdtemp(path), nullptr);
        dir_ = path;
    }
    void TearDown() override { EXPECT_TRUE(removeTree(dir_).ok()); }
    std::string dir_;
};

TEST_F(FileTest, ReplacesWholeFiles) {
    const std::string path = dir_ + "/state";
    ASSERT_TRUE(replaceFile(path, "one").ok());
    ASSERT_TRUE(replaceFile(path, "two").ok());
    EXPECT_EQ(readFile(path).value(), "two");
    struct stat info {};
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0600U);
    EXPECT_NE(::access((path + ".new").c_str(), F_OK), 0);
}

TEST_F(FileTest, MissingFileKeepsItsErrno) {
    const auto data = readFile(dir_ + "/none");
    EXPECT_EQ(errnoOf(data.status()), ENOENT);
    EXPECT_EQ(data.status().code(), absl::StatusCode::kNotFound);
}

TEST_F(FileTest, MakesAndRemovesTrees) {
    const std::string path = dir_ + "/a/b/c";
    ASSERT_TRUE(makeDirectories(path).ok());
    ASSERT_TRUE(makeDirectories(path).ok());
    ASSERT_TRUE(replaceFile(path + "/file", "x").ok());
    ASSERT_EQ(::symlink("/etc", (path + "/link").c_str()), 0);
    EXPECT_TRUE(removeTree(dir_ + "/a").ok());
    EXPECT_TRUE(removeTree(dir_ + "/a").ok()) << "removing what is gone is fine";
    EXPECT_EQ(::access("/etc/passwd", F_OK), 0) << "links are not followed";
    EXPECT_NE(::access((dir_ + "/a").c_str(), F_OK), 0);
}

}  // namespace
}  // namespace homeslice
