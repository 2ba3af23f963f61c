#include "noded/init/user.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/file.h"

namespace homeslice::init {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class UserTest : public ::testing::Test {
protected:
    void SetUp() override {
        ASSERT_NE(::mkdtemp(directory_.data()), nullptr);
        passwd_ = directory_ + "/passwd";
        group_ = directory_ + "/group";
        write(
            "root:x:0:0:root:/root:/bin/sh\nana:x:1000:1001:Ana,,,:/home/ana:/bin/sh\nshort:x:7:8\nbad:x:-1:8\n"
            "max:x:4294967295:4294967295::/:\nlast:x:12:13::/last:/bin/sh",
            "root:x:0:\nana:x:1001:\nsudo:x:27:bob,ana\nusers:x:100:anast,bana\naudio:x:29:ana\nbad:x:nine:ana\n");
    }
    void TearDown() override { EXPECT_TRUE(removeTree(directory_).ok()); }

    void write(const std::string& passwd, const std::string& group) {
        ASSERT_TRUE(replaceFile(passwd_, passwd).ok());
        ASSERT_TRUE(replaceFile(group_, group).ok());
    }
    UserFiles files() const { return {passwd_.c_str(), group_.c_str()}; }
    std::string problem(const std::string& user) {
        Identity identity;
        const char* problem = resolveUser(user.c_str(), files(), identity);
        return problem == nullptr ? "" : problem;
    }
    // "uid:gid home"
    std::string resolved(const std::string& user) {
        Identity identity;
        const char* problem = resolveUser(user.c_str(), files(), identity);
        groups_.assign(identity.groups, identity.groups + identity.group_count);
        if (problem != nullptr) return problem;
        return std::to_string(identity.uid) + ":" + std::to_string(identity.gid) + " " + identity.home;
    }

    std::string directory_ = ::testing::TempDir() + "hs-user-XXXXXX";
    std::string passwd_;
    std::string group_;
    std::vector<gid_t> groups_;
};

TEST_F(UserTest, NamesComeFromTheFiles) {
    EXPECT_EQ(resolved("ana"), "1000:1001 /home/ana");
    EXPECT_THAT(groups_, ElementsAre(27, 29));
    EXPECT_EQ(resolved("ana:audio"), "1000:29 /home/ana");
    EXPECT_THAT(groups_, IsEmpty());
    EXPECT_EQ(resolved("ana:55"), "1000:55 /home/ana");
    EXPECT_EQ(resolved("short"), "7:8 ");
    EXPECT_EQ(resolved("last"), "12:13 /last");
}

TEST_F(UserTest, NumbersNeedNotBeThere) {
    EXPECT_EQ(resolved("4711"), "4711:0 ");
    EXPECT_EQ(resolved("4711:12"), "4711:12 ");
    EXPECT_EQ(resolved("1000"), "1000:1001 /home/ana");
    EXPECT_THAT(groups_, ElementsAre(27, 29));
    ASSERT_TRUE(removeTree(passwd_).ok());
    ASSERT_TRUE(removeTree(group_).ok());
    EXPECT_EQ(resolved("33:34"), "33:34 ");
    EXPECT_EQ(problem("ana"), "no such user");
}

TEST_F(UserTest, RefusesTheRest) {
    EXPECT_EQ(problem("bob"), "no such user");
    EXPECT_EQ(problem("bad"), "no such user");
    EXPECT_EQ(problem("max"), "no such user") << "the id that setresuid(2) takes for unchanged";
    EXPECT_EQ(problem("4294967295"), "not a user id");
    EXPECT_EQ(problem("99999999999999999999"), "not a user id");
    EXPECT_EQ(problem("ana:nobody"), "no such group");
    EXPECT_EQ(problem("ana:4294967295"), "not a group id");
    EXPECT_EQ(problem("ana:"), "no such group");
    EXPECT_EQ(problem(":ana"), "not a user");
    EXPECT_EQ(problem(std::string(1000, 'a')), "not a user");
    EXPECT_EQ(problem("-1"), "no such user");
}

TEST_F(UserTest, SurvivesWhateverTheFilesHold) {
    write(std::string(100'000, 'x') + ":x:0:0::/:\n\n:::\n" + std::string(1000, ':') + "\nana:x:5:6::/a:\n" +
              std::string("bob\0:x:1:1::/:\n", 15),
          std::string(70'000, ','));
    EXPECT_EQ(resolved("ana"), "5:6 /a");
    EXPECT_EQ(problem("bob"), "no such user");
    write(std::string(40'000, 'x'), "");
    EXPECT_EQ(problem("ana"), "no such user");
    ASSERT_TRUE(removeTree(passwd_).ok());
    ASSERT_EQ(::mkfifo(passwd_.c_str(), 0600), 0);
    EXPECT_EQ(problem("ana"), "no such user");
}

TEST_F(UserTest, FindsHomes) {
    char home[sizeof(Identity::home)] = "?";
    findHome(12, files(), home);
    EXPECT_STREQ(home, "/last");
    findHome(99, files(), home);
    EXPECT_STREQ(home, "/last");
}

}  // namespace
}  // namespace homeslice::init
