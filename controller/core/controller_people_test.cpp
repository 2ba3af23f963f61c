// Users, certificates, shared slices and the audit log, through the whole core.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "base/names.h"
#include "base/status.h"
#include "controller/core/audit.h"
#include "controller/core/test_world.h"

namespace homeslice::controller {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing_support::FakeSession;
using testing_support::TestWorld;

const std::string kKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJvYmJvYmJvYmJvYmJvYmJvYmJvYmJvYmJvYmJv bob@example";

class PeopleTest : public ::testing::Test {
protected:
    Controller& controller() { return world_.controller(); }

    pki::Identity join(const std::string& name, UserRole role = UserRole::user) {
        const auto token = controller().addUser(name, role, 0);
        EXPECT_TRUE(token.ok()) << token.status();
        const auto identity = controller().redeemToken(token->token);
        EXPECT_TRUE(identity.ok()) << identity.status();
        return *identity;
    }
    void createFor(const std::string& owner, const std::string& name) {
        CreateSliceRequest request;
        request.name = name;
        request.base.image = "busybox";
        request.where.nodes = {"node1"};
        request.owner = owner;
        const auto created = controller().createSlice(request);
        ASSERT_TRUE(created.ok()) << created.status();
        world_.settle();
    }
    // What is to be written into web/1, which then has it; nothing when it has what it should.
    std::optional<std::vector<std::string>> delivery() {
        const std::vector<KeyDelivery> deliveries = controller().keyDeliveries();
        if (deliveries.empty()) return std::nullopt;
        EXPECT_EQ(deliveries[0].id.toString(), "web/1");
        controller().keysDelivered(deliveries[0].id, deliveries[0].mark);
        return deliveries[0].keys;
    }

    TestWorld world_;
};

TEST_F(PeopleTest, ATokenIsGoodOnceAndNotForever) {
    const NewToken token = controller().makeNodeToken("node1", 0).value();
    pki::Token wrong = token.token;
    wrong.secret = randomId();
    EXPECT_EQ(controller().redeemToken(wrong).status().code(), absl::StatusCode::kPermissionDenied);
    wrong = token.token;
    wrong.name = "node2";
    EXPECT_EQ(controller().redeemToken(wrong).status().code(), absl::StatusCode::kPermissionDenied);
    EXPECT_TRUE(controller().redeemToken(token.token).ok());
    EXPECT_EQ(controller().redeemToken(token.token).status().code(), absl::StatusCode::kPermissionDenied);

    const NewToken late = controller().makeNodeToken("node1", 60).value();
    world_.pass(std::chrono::seconds(61));
    EXPECT_EQ(controller().redeemToken(late.token).status().code(), absl::StatusCode::kPermissionDenied);
    EXPECT_FALSE(controller().makeNodeToken("node1", 31 * 24 * 3600).ok());
    EXPECT_FALSE(controller().makeNodeToken("No Name", 0).ok());
}

TEST_F(PeopleTest, TheSecretOfATokenIsNotStored) {
    const NewToken token = controller().makeNodeToken("node1", 0).value();
    const Snapshot snapshot = world_.store().load().value();
    ASSERT_EQ(snapshot.tokens.size(), 1U);
    for (const auto& [digest, stored] : snapshot.tokens) {
        EXPECT_NE(digest, token.token.secret);
        EXPECT_NE(stored.digest, token.token.secret);
    }
}

TEST_F(PeopleTest, ASecondCertificateLeavesTheFirstOneGood) {
    const pki::Identity first = join("alice");
    const auto second = controller().redeemToken(controller().makeUserToken("alice", 0)->token);
    EXPECT_EQ(second.value(), first);
    EXPECT_TRUE(controller().checkIdentity(first).ok());
}

TEST_F(PeopleTest, ARemovedUsersCertificateIsWorthNothingEvenUnderTheSameName) {
    const pki::Identity old = join("alice");
    EXPECT_EQ(controller().callerOf(old)->name, "alice");
    ASSERT_TRUE(controller().removeUser("alice").ok());
    EXPECT_EQ(controller().callerOf(old).status().code(), absl::StatusCode::kUnauthenticated);
    join("alice", UserRole::admin);
    EXPECT_EQ(controller().callerOf(old).status().code(), absl::StatusCode::kUnauthenticated);
    EXPECT_FALSE(controller().removeUser("nobody").ok());
}

// A node that merely says so is none, is told why, and gets nothing of what home agents get.
TEST_F(PeopleTest, AHomeAgentIsOneByAnAdministratorsWord) {
    world_.addLab(2);
    const auto homeAgents = [this] { return world_.node("node2").session->last_picture.home_agents.size(); };
    Node hello = world_.node("node1").hello;
    hello.home_agent = true;
    const auto session = std::make_shared<FakeSession>();
    const auto refused = controller().connectNode(hello, session);
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kPermissionDenied);
    EXPECT_THAT(messageOf(refused.status()), HasSubstr("slicectl node home-agent node1"));
    EXPECT_EQ(homeAgents(), 0U);

    ASSERT_TRUE(controller().setHomeAgentRole("node1", true).ok());
    world_.node("node1").hello = hello;
    world_.connect("node1");
    EXPECT_EQ(homeAgents(), 1U);

    // A token without the role, for the same node, takes nothing from it.
    ASSERT_TRUE(controller().redeemToken(controller().makeNodeToken("node1", 0)->token).ok());
    EXPECT_EQ(homeAgents(), 1U);

    ASSERT_TRUE(controller().setHomeAgentRole("node1", false).ok());
    EXPECT_EQ(world_.node("node1").session->closed.code(), absl::StatusCode::kPermissionDenied);
    EXPECT_EQ(homeAgents(), 0U);
    EXPECT_FALSE(controller().connectNode(hello, session).ok());
    EXPECT_EQ(controller().setHomeAgentRole("stranger", true).code(), absl::StatusCode::kNotFound);
}

TEST_F(PeopleTest, ATokenGivesTheRoleOnceAndForAll) {
    world_.addNode("ha", true);
    world_.restart();
    EXPECT_EQ(world_.node("ha").session->last_picture.home_agents.size(), 1U);
}

TEST_F(PeopleTest, ARevokedNodeIsCutOffAndTrustedByNobody) {
    world_.addLab(2);
    const NewToken unused = controller().makeNodeToken("node1", 0).value();
    const size_t trusted = world_.node("node2").session->last_picture.nodes.size();
    ASSERT_TRUE(controller().revokeNode("node1").ok());
    EXPECT_EQ(world_.node("node1").session->closed.code(), absl::StatusCode::kPermissionDenied);
    const auto& picture = world_.node("node2").session->last_picture;
    EXPECT_EQ(picture.nodes.size(), trusted - 1);
    ASSERT_EQ(picture.nodes.size(), 1U);
    EXPECT_TRUE(picture.nodes.contains("node2"));
    EXPECT_FALSE(controller().redeemToken(unused.token).ok()) << "its tokens go with it";
    EXPECT_EQ(controller().revokeNode("node1").code(), absl::StatusCode::kNotFound);
}

TEST_F(PeopleTest, ANodeIsNoUserAndTheOtherWayRound) {
    const pki::Identity alice = join("alice");
    EXPECT_FALSE(controller().checkIdentity({pki::Kind::node, "alice", alice.enrolment}).ok());
    EXPECT_EQ(controller().callerOf({pki::Kind::node, "node1", alice.enrolment}).status().code(),
              absl::StatusCode::kPermissionDenied);
}

TEST_F(PeopleTest, AUserOfSlicesIsNotRemovedAMemberIs) {
    world_.addLab(1);
    join("alice");
    join("bob");
    createFor("alice", "web");
    ASSERT_TRUE(controller().shareSlice("web", "bob", false).ok());
    const absl::Status owner = controller().removeUser("alice");
    EXPECT_EQ(owner.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(owner.message()), HasSubstr("'web'"));
    ASSERT_TRUE(controller().removeUser("bob").ok());
    EXPECT_TRUE(controller().slice("web")->slice.members.empty());
}

TEST_F(PeopleTest, ASharedSliceIsUsedByItsMembers) {
    world_.addLab(1);
    const Caller bob = controller().callerOf(join("bob")).value();
    join("alice");
    createFor("alice", "web");
    EXPECT_FALSE(controller().checkSliceRight(bob, Right::use_slice, "web").ok());
    ASSERT_TRUE(controller().shareSlice("web", "bob", false).ok());
    EXPECT_TRUE(controller().checkSliceRight(bob, Right::use_slice, "web").ok());
    ASSERT_TRUE(controller().shareSlice("web", "bob", true).ok());
    EXPECT_FALSE(controller().checkSliceRight(bob, Right::use_slice, "web").ok());
    EXPECT_EQ(controller().shareSlice("web", "bob", true).status().code(), absl::StatusCode::kNotFound);
    EXPECT_EQ(controller().shareSlice("web", "nobody", false).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(PeopleTest, TheKeysOfOwnerAndMembersReachTheSlivers) {
    world_.addLab(1);
    join("alice");
    join("bob");
    createFor("alice", "web");
    ASSERT_TRUE(controller().addUserKey("bob", kKey).ok());
    EXPECT_EQ(delivery(), std::nullopt) << "bob is no member";
    ASSERT_TRUE(controller().shareSlice("web", "bob", false).ok());
    EXPECT_THAT(*delivery(), ElementsAre(kKey));
    EXPECT_EQ(delivery(), std::nullopt) << "it has them";
    world_.restart();
    world_.settle();
    EXPECT_EQ(delivery(), std::nullopt) << "and the controller remembers";
    ASSERT_TRUE(controller().removeUserKey("bob", "bob@example").ok());
    EXPECT_TRUE(delivery()->empty());
    EXPECT_EQ(delivery(), std::nullopt);
}

TEST_F(PeopleTest, KeysOfAnEarlierRunAreWrittenAgain) {
    world_.addLab(1);
    join("alice");
    createFor("alice", "web");
    ASSERT_TRUE(controller().addUserKey("alice", kKey).ok());
    ASSERT_TRUE(delivery().has_value());
    world_.node("node1").slivers.at({"web", 1}).running_since_us = 4711;
    world_.report("node1");
    EXPECT_TRUE(delivery().has_value());
}

TEST_F(PeopleTest, AChangeAndWhoAskedForItAreStoredTogether) {
    {
        AuditScope scope(controller(), {0, "root", "AddUser", "alice", ""});
        scope.end(controller().addUser("alice", UserRole::user, 0).status());
    }
    {
        AuditScope scope(controller(), {0, "root", "AddUser", "alice", ""});
        scope.end(controller().addUser("alice", UserRole::user, 0).status());
    }
    ASSERT_TRUE(controller().addUser("bob", UserRole::user, 0).ok());
    const std::vector<AuditEntry> log = controller().auditLog(0).value();
    ASSERT_EQ(log.size(), 2U);
    EXPECT_EQ(log[0].outcome, "ok");
    EXPECT_GT(log[0].time_us, 0);
    EXPECT_EQ(log[1].who, "root");
    EXPECT_EQ(log[1].outcome, "user 'alice' exists already");
}

TEST_F(PeopleTest, AllOfItOutlivesTheController) {
    const pki::Identity alice = join("alice", UserRole::admin);
    const NewToken token = controller().makeNodeToken("node9", 0).value();
    world_.restart();
    EXPECT_EQ(controller().callerOf(alice)->role, UserRole::admin);
    EXPECT_TRUE(controller().redeemToken(token.token).ok());
}

}  // namespace
}  // namespace homeslice::controller
