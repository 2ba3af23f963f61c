// Who may do what, on the real programs: users by TLS from outside, ssh keys, revoked nodes, nothing in the clear.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>

#include "base/file.h"
#include "tests/support/lab_users.h"

namespace homeslice::testing_support {
namespace {

using ::testing::HasSubstr;

constexpr std::chrono::seconds kKeysWithin{5};
const std::string kBobsKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGFsaWNlYWxpY2VhbGljZWFsaWNlYWxpY2VhbGlj bob@example";
const std::string kKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJvYmJvYmJvYmJvYmJvYmJvYmJvYmJvYmJvYmJv alice@example";

using AuthLabTest = LabUsersTest;

TEST_F(AuthLabTest, UsersWorkOnTheirOwnSlicesFromOutside) {
    addUser("alice");
    addUser("bob");
    slices_.push_back("hers");
    HS_EXPECT_DONE(as("alice", {"slice", "create", "hers", "--image", "busybox", "--on", "node1"}));
    EXPECT_THAT(as("alice", {"exec", "hers/1", "--", "hostname"}).out, HasSubstr("hers-1"));
    EXPECT_THAT(as("alice", {"slice", "ls"}).out, HasSubstr("hers"));
    EXPECT_THAT(as("bob", {"slice", "ls"}).out, Not(HasSubstr("hers")));
    const CommandResult refused = as("bob", {"exec", "hers/1", "--", "true"});
    EXPECT_EQ(refused.status, 1);
    EXPECT_THAT(refused.err,
                HasSubstr("user 'bob' lacks the right 'use slice' on slice 'hers': ask its owner 'alice'"));
    HS_EXPECT_DONE(as("alice", {"slice", "share", "hers", "bob"}));
    HS_EXPECT_DONE(as("bob", {"exec", "hers/1", "--", "true"}));
    EXPECT_THAT(as("bob", {"node", "revoke", "node1"}).err, HasSubstr("lacks the right 'manage nodes'"));
    const std::string log = slicectl({"audit", "log", "--tail", "100"}).out;
    EXPECT_THAT(log, HasSubstr("CreateSlice"));
    EXPECT_THAT(log, HasSubstr("lacks the right 'manage nodes'"));
    // The slice goes before its owner.
    HS_EXPECT_DONE(as("alice", {"slice", "rm", "hers"}));
}

TEST_F(AuthLabTest, ARemovedUserIsOut) {
    addUser("carol");
    HS_EXPECT_DONE(as("carol", {"node", "ls"}));
    HS_EXPECT_DONE(slicectl({"user", "rm", "carol"}));
    users_.clear();
    const CommandResult refused = as("carol", {"node", "ls"});
    EXPECT_EQ(refused.status, 1);
    EXPECT_THAT(refused.err, HasSubstr("the certificate of user 'carol' was revoked"));
}

TEST_F(AuthLabTest, SshKeysComeAndGoWhileSliversRun) {
    addUser("alice");
    slices_.push_back("keys");
    HS_EXPECT_DONE(as("alice", {"slice", "create", "keys", "--image", "busybox", "--on", "node1,node2"}));
    const auto keysIn = [](const std::string& sliver) {
        return slicectl({"exec", sliver, "--", "cat", "/root/.ssh/authorized_keys"}).out;
    };
    HS_EXPECT_DONE(as("alice", {"user", "key", "add", kKey}));
    const auto hasKey = [&](const std::string& sliver) { return keysIn(sliver).find(kKey) != std::string::npos; };
    EXPECT_TRUE(eventually([&] { return hasKey("keys/1") && hasKey("keys/2"); }, kKeysWithin));
    EXPECT_THAT(slicectl({"exec", "keys/1", "--", "stat", "-c", "%a %u", "/root/.ssh/authorized_keys"}).out,
                HasSubstr("600 0"));
    // Of a member, and in slivers that were not there when the key came.
    addUser("bob");
    HS_EXPECT_DONE(as("bob", {"user", "key", "add", kBobsKey}));
    EXPECT_THAT(keysIn("keys/1"), Not(HasSubstr(kBobsKey)));
    HS_EXPECT_DONE(as("alice", {"slice", "share", "keys", "bob"}));
    EXPECT_TRUE(eventually([&] { return keysIn("keys/1").find(kBobsKey) != std::string::npos && hasKey("keys/1"); },
                           kKeysWithin));
    slices_.push_back("later");
    HS_EXPECT_DONE(as("alice", {"slice", "create", "later", "--image", "busybox", "--on", "node3"}));
    EXPECT_TRUE(eventually([&] { return hasKey("later/1"); }, kKeysWithin));
    HS_EXPECT_DONE(as("alice", {"slice", "rm", "later"}));
    HS_EXPECT_DONE(as("alice", {"user", "key", "rm", "alice@example"}));
    EXPECT_TRUE(eventually([&] { return !hasKey("keys/1") && !hasKey("keys/2"); }, kKeysWithin));
    HS_EXPECT_DONE(as("alice", {"slice", "rm", "keys"}));
}

TEST_F(AuthLabTest, ARevokedNodeIsOutUntilItJoinsAnew) {
    const auto ready = [] { return slicectlJson({"node", "show", "node3"}).value("ready", false); };
    HS_EXPECT_DONE(slicectl({"node", "revoke", "node3"}));
    EXPECT_TRUE(eventually([&] { return !ready(); }));
    const std::string refusal = "the certificate of node 'node3' was revoked";
    EXPECT_TRUE(eventually(
        [&] { return readFile("/run/homeslice/lab/node3.log").value_or("").find(refusal) != std::string::npos; }));
    const std::string token = lastLine(slicectl({"node", "token", "node3"}).out);
    const auto join = [&] {
        return slicectl({"lab", "node", "node3", "--", std::string(HS_BIN_DIRECTORY) + "/noded", "join", "--controller",
                         kLabController, "--state-dir", "/var/lib/homeslice/lab/node3", "--token", token});
    };
    HS_EXPECT_DONE(join());
    const CommandResult again = join();
    EXPECT_EQ(again.status, 1);
    EXPECT_THAT(again.err, HasSubstr("the token is unknown, used or expired"));
    HS_EXPECT_DONE(slicectl({"lab", "restart", "node3"}));
    EXPECT_TRUE(ready());
}

TEST_F(AuthLabTest, NothingListensInTheClear) {
    for (const std::string& port :
         {kLabController, std::string("[fd00:51ce::a0a0]:7401"), std::string("[fd00:51ce::1]:7401")}) {
        const CommandResult clear =
            inClient({"curl", "-gsS", "--max-time", "5", "--http2-prior-knowledge", "http://" + port + "/"});
        EXPECT_NE(clear.status, 0) << port;
        EXPECT_EQ(clear.out, "") << port;
    }
}

TEST_F(AuthLabTest, KeysAreForTheirOwnersAlone) {
    int keys = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator("/var/lib/homeslice/lab")) {
        const std::string name = entry.path().filename().string();
        if (name != "identity.pem" && name != "authority.key") continue;
        struct stat info {};
        ASSERT_EQ(::stat(entry.path().c_str(), &info), 0);
        EXPECT_EQ(info.st_mode & 0777, 0600U) << entry.path();
        ++keys;
    }
    EXPECT_EQ(keys, 7) << "the controller's two, the administrator's, the home agent's and three nodes'";
    struct stat socket {};
    ASSERT_EQ(::stat("/run/homeslice/lab/sliced/sliced.sock", &socket), 0);
    EXPECT_EQ(socket.st_mode & 0777, 0600U);
}

}  // namespace
}  // namespace homeslice::testing_support
