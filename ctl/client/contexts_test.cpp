#include "ctl/client/contexts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

#include "base/status.h"
#include "ctl/client/address.h"
#include "pki/test_authority.h"

namespace homeslice::ctl {
namespace {

using ::testing::HasSubstr;

class ContextsTest : public ::testing::Test {
protected:
    void SetUp() override {
        std::string directory = (std::filesystem::temp_directory_path() / "hst-contexts-XXXXXX").string();
        ASSERT_NE(::mkdtemp(directory.data()), nullptr);
        directory_ = directory;
        ::setenv("XDG_CONFIG_HOME", directory_.c_str(), 1);
    }
    void TearDown() override {
        ::unsetenv("XDG_CONFIG_HOME");
        EXPECT_TRUE(removeTree(directory_).ok());
    }
    absl::Status add(const std::string& name, const std::string& controller) const {
        const auto credentials = pki::readCredentials(authority_.credentialsOf(pki::Kind::user, "alice"));
        return Contexts::open()->add(name, controller, *credentials);
    }

    const pki::testing_support::TestAuthority authority_;
    std::string directory_;
};

TEST_F(ContextsTest, TheFirstIsUsedUntilAnotherIsChosen) {
    EXPECT_THAT(resolveEndpoint("", "")->address, HasSubstr("sliced.sock"));
    ASSERT_TRUE(add("home", "[fd00::1]:7400").ok());
    ASSERT_TRUE(add("work", "work.example:7400").ok());
    EXPECT_EQ(resolveEndpoint("", "")->address, "[fd00::1]:7400");
    EXPECT_EQ(resolveEndpoint("", "work")->address, "work.example:7400");
    ASSERT_TRUE(Contexts::open()->use("work").ok());
    EXPECT_EQ(resolveEndpoint("", "")->address, "work.example:7400");
    EXPECT_EQ(resolveEndpoint("", "")->credentials, directory_ + "/homeslice/contexts/work");
    EXPECT_EQ(resolveEndpoint("other:7400", "home")->credentials, directory_ + "/homeslice/contexts/home");
    EXPECT_TRUE(resolveEndpoint("unix:/x", "")->credentials.empty());
    const auto list = Contexts::open()->list();
    ASSERT_EQ(list->size(), 2U);
    EXPECT_FALSE((*list)[0].current);
    EXPECT_TRUE((*list)[1].current);
}

TEST_F(ContextsTest, KeysAreForTheirOwnerAlone) {
    ASSERT_TRUE(add("home", "[fd00::1]:7400").ok());
    struct stat info {};
    ASSERT_EQ(::stat((directory_ + "/homeslice/contexts/home/identity.pem").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600U);
    ASSERT_EQ(::stat((directory_ + "/homeslice/contexts").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0700U);
}

TEST_F(ContextsTest, NothingIsReplacedAndNothingLeft) {
    ASSERT_TRUE(add("home", "[fd00::1]:7400").ok());
    EXPECT_EQ(add("home", "[fd00::2]:7400").code(), absl::StatusCode::kAlreadyExists);
    EXPECT_EQ(add("../home", "[fd00::2]:7400").code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(Contexts::open()->use("none").code(), absl::StatusCode::kNotFound);
    ASSERT_TRUE(Contexts::open()->remove("home").ok());
    EXPECT_FALSE(std::filesystem::exists(directory_ + "/homeslice/contexts/home"));
    EXPECT_THAT(resolveEndpoint("", "")->address, HasSubstr("sliced.sock"));
}

TEST_F(ContextsTest, AnAddressWithoutACertificateIsNotCalled) {
    const auto endpoint = resolveEndpoint("[fd00::1]:7400", "");
    EXPECT_EQ(endpoint.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(messageOf(endpoint.status()), HasSubstr("slicectl context add"));
}

}  // namespace
}  // namespace homeslice::ctl
