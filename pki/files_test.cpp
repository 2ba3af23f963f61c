#include "pki/files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "pki/test_authority.h"

namespace homeslice::pki {
namespace {

using testing_support::TestAuthority;

unsigned modeOf(const std::string& path) {
    struct stat info {};
    EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
    return info.st_mode & 07777;
}

TEST(FilesTest, KeysAreForTheirOwnerAlone) {
    const TestAuthority authority;
    const std::string directory = authority.credentialsOf(Kind::node, "node1");
    EXPECT_EQ(modeOf(directory), 0700U);
    EXPECT_EQ(modeOf(identityPath(directory)), 0600U);
    EXPECT_TRUE(readCredentials(directory).ok());
    ASSERT_EQ(::chmod(identityPath(directory).c_str(), 0640), 0);
    const absl::Status shared = readCredentials(directory).status();
    EXPECT_EQ(shared.code(), absl::StatusCode::kFailedPrecondition) << shared;
}

TEST(FilesTest, WhatDoesNotBelongTogetherIsRefused) {
    const TestAuthority ours;
    const TestAuthority other;
    const std::string directory = ours.credentialsOf(Kind::node, "node1");
    ASSERT_TRUE(replaceFile(authorityPath(directory), other.authority().certificate().toPem()).ok());
    EXPECT_EQ(readCredentials(directory).status().code(), absl::StatusCode::kInvalidArgument);
    ASSERT_TRUE(replaceFile(identityPath(directory), "nothing").ok());
    EXPECT_EQ(readCredentials(directory).status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(readCredentials(directory + "/none").status().code(), absl::StatusCode::kNotFound);
}

TEST(FilesTest, AKeyIsNeverOverwritten) {
    const TestAuthority authority;
    const std::string path = authority.credentialsOf(Kind::user, "alice") + "/key";
    ASSERT_TRUE(createPrivateFile(path, "first").ok());
    EXPECT_EQ(createPrivateFile(path, "second").code(), absl::StatusCode::kAlreadyExists);
    EXPECT_EQ(readFile(path).value(), "first");
    EXPECT_EQ(modeOf(path), 0600U);
}

}  // namespace
}  // namespace homeslice::pki
