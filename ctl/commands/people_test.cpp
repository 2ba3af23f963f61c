// Users, tokens, shared slices and the audit log on the command line.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/file.h"
#include "ctl/commands/fake_controller.h"

namespace homeslice::ctl {
namespace {

using ::testing::HasSubstr;

class People : public ::testing::Test {
protected:
    Outcome run(const std::vector<std::string>& arguments) { return slicectl(controller_, arguments); }

    FakeController controller_;
};

TEST_F(People, ATokenIsAllThatIsOnStdout) {
    const Outcome added = run({"user", "add", "alice", "--role", "admin", "--valid", "2h"});
    EXPECT_EQ(added.exit_status, 0) << added.err;
    EXPECT_EQ(added.out, "the-token\n");
    EXPECT_THAT(added.err, HasSubstr("slicectl context add"));
    EXPECT_EQ(controller_.added_user.name(), "alice");
    EXPECT_EQ(controller_.added_user.role(), v1::ROLE_ADMIN);
    EXPECT_EQ(controller_.added_user.lifetime_s(), 7200U);
    const Outcome node = run({"node", "token", "node4", "-o", "json"});
    EXPECT_THAT(node.out, HasSubstr("\"token\": \"the-token\""));
    EXPECT_EQ(controller_.node_token.name(), "node4");
    EXPECT_EQ(controller_.node_token.lifetime_s(), 3600U);
    EXPECT_FALSE(controller_.node_token.home_agent());
}

TEST_F(People, HomeAgentsAreAllowedByName) {
    EXPECT_EQ(run({"node", "token", "ha", "--home-agent"}).exit_status, 0);
    EXPECT_TRUE(controller_.node_token.home_agent());
    EXPECT_THAT(run({"node", "home-agent", "node4"}).err, HasSubstr("may be a home agent"));
    EXPECT_EQ(controller_.role.name(), "node4");
    EXPECT_TRUE(controller_.role.allowed());
    EXPECT_EQ(run({"node", "home-agent", "node4", "--withdraw"}).exit_status, 0);
    EXPECT_FALSE(controller_.role.allowed());
}

TEST_F(People, BadInputReachesNobody) {
    EXPECT_THAT(run({"user", "add", "Alice"}).err, HasSubstr("user name 'Alice' is not valid"));
    EXPECT_THAT(run({"user", "add", "alice", "--role", "god"}).err, HasSubstr("--role 'god' is not valid"));
    EXPECT_THAT(run({"user", "add", "alice", "--valid", "never"}).err, HasSubstr("--valid 'never' is not valid"));
    EXPECT_THAT(run({"node", "revoke", "no_de"}).err, HasSubstr("node name 'no_de' is not valid"));
    EXPECT_THAT(run({"slice", "share", "web", "B"}).err, HasSubstr("user name 'B' is not valid"));
    EXPECT_THAT(run({"audit", "log", "--tail", "0"}).err, HasSubstr("--tail '0' is not valid"));
    EXPECT_EQ(controller_.added_user.name(), "");
}

TEST_F(People, AKeyComesFromAFileOrTheLine) {
    const std::string path = testing::TempDir() + "hst-key-" + std::to_string(getpid());
    ASSERT_TRUE(replaceFile(path, "ssh-ed25519 AAAA from@file\n").ok());
    EXPECT_EQ(run({"user", "key", "add", path}).exit_status, 0);
    unlink(path.c_str());
    EXPECT_EQ(controller_.key.key(), "ssh-ed25519 AAAA from@file\n");
    EXPECT_EQ(controller_.key.user(), "");
    EXPECT_EQ(run({"user", "key", "add", "ssh-ed25519 BBBB b", "--user", "bob"}).exit_status, 0);
    EXPECT_EQ(controller_.key.key(), "ssh-ed25519 BBBB b");
    EXPECT_EQ(controller_.key.user(), "bob");
    EXPECT_EQ(run({"user", "key", "add", path}).exit_status, 3) << "the file has gone";
}

TEST_F(People, SharingBeginsAndEnds) {
    EXPECT_THAT(run({"slice", "share", "web", "bob", "-o", "json"}).out, HasSubstr("\"members\""));
    EXPECT_EQ(controller_.shared.user(), "bob");
    EXPECT_FALSE(controller_.shared.end());
    run({"slice", "share", "web", "bob", "--end"});
    EXPECT_TRUE(controller_.shared.end());
}

TEST_F(People, ListsAreTables) {
    const Outcome users = run({"user", "ls"});
    EXPECT_THAT(users.out, HasSubstr("alice"));
    EXPECT_THAT(users.out, HasSubstr("admin"));
    const Outcome log = run({"audit", "log", "--tail", "5"});
    EXPECT_THAT(log.out, HasSubstr("DeleteSlice"));
    EXPECT_EQ(controller_.audit.newest(), 5U);
    EXPECT_EQ(run({"node", "revoke", "node1"}).exit_status, 0);
    EXPECT_EQ(controller_.deleted, "node1");
}

TEST_F(People, ARefusalIsShownAsItIs) {
    controller_.refusal = {grpc::StatusCode::PERMISSION_DENIED, "user 'bob' lacks the right 'manage users'"};
    const Outcome refused = run({"user", "ls"});
    EXPECT_EQ(refused.exit_status, 1);
    EXPECT_EQ(refused.err, "slicectl: user 'bob' lacks the right 'manage users'\n");
}

}  // namespace
}  // namespace homeslice::ctl
