#include "controller/images/image_files.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "base/file.h"

namespace homeslice::controller {
namespace {

// printf abc | sha256sum
const std::string kAbc = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

class ImageFilesTest : public ::testing::Test {
protected:
    void SetUp() override {
        std::string directory = (std::filesystem::temp_directory_path() / "hst-images-XXXXXX").string();
        ASSERT_NE(::mkdtemp(directory.data()), nullptr);
        directory_ = directory;
        files_ = ImageFiles::open(directory_).value();
    }
    void TearDown() override { EXPECT_TRUE(removeTree(directory_).ok()); }

    std::string directory_;
    std::unique_ptr<ImageFiles> files_;
};

TEST_F(ImageFilesTest, HashesWhileReceiving) {
    auto receiver = files_->receive().value();
    ASSERT_TRUE(receiver->write("a").ok());
    ASSERT_TRUE(receiver->write("bc").ok());
    EXPECT_EQ(*receiver->finish(), kAbc);
    EXPECT_EQ(receiver->size(), 3U);
    EXPECT_EQ(files_->openArchive(kAbc).status().code(), absl::StatusCode::kNotFound) << "not published yet";
    ASSERT_TRUE(receiver->publish().ok());
    const auto fd = files_->openArchive(kAbc);
    ASSERT_TRUE(fd.ok());
    EXPECT_EQ(*readAll(fd->get()), "abc");
}

TEST_F(ImageFilesTest, WhatIsNotPublishedIsRemoved) {
    {
        auto receiver = files_->receive().value();
        ASSERT_TRUE(receiver->write("abc").ok());
    }
    EXPECT_TRUE(std::filesystem::is_empty(directory_));
    ASSERT_TRUE(replaceFile(directory_ + "/left-over.part", "x").ok());
    ASSERT_TRUE(ImageFiles::open(directory_).ok());
    EXPECT_TRUE(std::filesystem::is_empty(directory_));
}

TEST_F(ImageFilesTest, RefusesEmptyArchivesAndOddDigests) {
    EXPECT_EQ(files_->receive().value()->finish().status().code(), absl::StatusCode::kInvalidArgument);
    for (const std::string& bad : {std::string("abc"), kAbc.substr(7), std::string("sha256:../../etc/passwd"),
                                   kAbc + "0", std::string("sha256:") + std::string(64, '/')}) {
        EXPECT_EQ(files_->openArchive(bad).status().code(), absl::StatusCode::kInvalidArgument) << bad;
    }
}

TEST_F(ImageFilesTest, KeepsOnlyWhatIsUsed) {
    for (const char* content : {"abc", "def"}) {
        auto receiver = files_->receive().value();
        ASSERT_TRUE(receiver->write(content).ok());
        ASSERT_TRUE(receiver->finish().ok());
        ASSERT_TRUE(receiver->publish().ok());
    }
    auto in_flight = files_->receive().value();
    files_->keepOnly({kAbc});
    EXPECT_TRUE(files_->openArchive(kAbc).ok());
    size_t left = 0;
    for (const auto& entry : std::filesystem::directory_iterator(directory_)) left += entry.exists() ? 1 : 0;
    EXPECT_EQ(left, 2U) << "the used one and the one in flight";
}

}  // namespace
}  // namespace homeslice::controller
