// Who may do what, over real TLS: wrong and revoked certificates, rights by method and slice, tokens, the audit log.
#include <gmock/gmock.h>
#include <google/protobuf/dynamic_message.h>
#include <grpcpp/generic/generic_stub.h>

#include <atomic>
#include <future>
#include <set>
#include <thread>

#include "controller/api/api_fixture.h"
#include "controller/auth/rights.h"
#include "pki/grant.h"
#include "pki/test_authority.h"

namespace homeslice::controller {
namespace {

using ::testing::HasSubstr;
using testing_support::ApiTest;
using testing_support::SimulatedNode;
using Stub = v1::ControllerService::Stub;

const google::protobuf::ServiceDescriptor& controllerService() {
    return *v1::FlowReport::descriptor()->file()->FindServiceByName("ControllerService");
}

// Everything in a request that may name a slice or a user does so; what is in a oneof comes first in it.
void nameEverything(google::protobuf::Message& message) {
    const google::protobuf::Reflection& reflection = *message.GetReflection();
    for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
        const google::protobuf::FieldDescriptor& field = *message.GetDescriptor()->field(i);
        if (field.is_repeated() || (field.containing_oneof() != nullptr && field.index_in_oneof() != 0)) continue;
        if (field.cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE) {
            nameEverything(*reflection.MutableMessage(&message, &field));
        } else if (field.name() == "user") {
            reflection.SetString(&message, &field, "alice");
        } else if (field.name() == "name" || field.name() == "slice") {
            reflection.SetString(&message, &field, "web");
        } else if (field.name() == "index") {
            reflection.SetUInt32(&message, &field, 1);
        }
    }
}

class AuthTest : public ApiTest {
protected:
    void SetUp() override {
        ApiTest::SetUp();
        alice_ = userCredentials("alice");
        bob_ = userCredentials("bob");
    }
    // node1 runs alice's slice "web".
    void bringUpAlicesSlice() {
        addNode("node1");
        v1::Image image;
        ASSERT_TRUE(import("busybox", "archive", &image).ok());
        v1::CreateSliceRequest request;
        request.set_name("web");
        request.mutable_base()->set_image("busybox");
        request.add_nodes("node1");
        grpc::ClientContext context;
        v1::Operation operation;
        const grpc::Status created = as(*alice_)->CreateSlice(&context, request, &operation);
        ASSERT_TRUE(created.ok()) << created.error_message();
        operation_ = waitFor(operation.id()).id();
    }
    std::unique_ptr<Stub> as(const tls::Credentials& credentials) const {
        return v1::ControllerService::NewStub(channelAs(credentials));
    }
    // Any method, of whatever kind, with one request.
    grpc::Status callAs(const tls::Credentials& credentials, const google::protobuf::MethodDescriptor& method) {
        google::protobuf::DynamicMessageFactory factory;
        const std::unique_ptr<google::protobuf::Message> request(factory.GetPrototype(method.input_type())->New());
        nameEverything(*request);
        const google::protobuf::FieldDescriptor* const id = method.input_type()->FindFieldByName("id");
        const bool is_text = id != nullptr && id->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_STRING;
        if (is_text) request->GetReflection()->SetString(request.get(), id, operation_);
        const grpc::Slice slice(request->SerializeAsString());
        grpc::ByteBuffer bytes(&slice, 1);
        grpc::ByteBuffer answer;
        grpc::ClientContext context;
        grpc::GenericStub stub(channelAs(credentials));
        std::promise<grpc::Status> result;
        stub.UnaryCall(&context, "/" + method.service()->full_name() + "/" + method.name(), grpc::StubOptions(), &bytes,
                       &answer, [&](const grpc::Status& status) { result.set_value(status); });
        return result.get_future().get();
    }
    grpc::Status getSliceAs(const tls::Credentials& credentials) {
        v1::GetSliceRequest request;
        request.set_name("web");
        grpc::ClientContext context;
        v1::Slice slice;
        return as(credentials)->GetSlice(&context, request, &slice);
    }
    grpc::Status share(const tls::Credentials& by, const std::string& user, bool end = false) {
        v1::ShareSliceRequest request;
        request.set_name("web");
        request.set_user(user);
        request.set_end(end);
        grpc::ClientContext context;
        v1::Slice slice;
        return as(by)->ShareSlice(&context, request, &slice);
    }
    static const google::protobuf::MethodDescriptor& listNodes() {
        return *controllerService().FindMethodByName("ListNodes");
    }
    // Of the system's own authority and the same enrolment as `known`'s, good for so long.
    std::shared_ptr<tls::Credentials> signedFor(const tls::Credentials& known, std::chrono::seconds lifetime) const {
        const std::string pki = issuer_->credentialsDirectory();
        const auto authority = pki::Authority::parse(readFile(pki + "/authority.key").value(), issuer_->authorityPem());
        const pki::KeyHandle key = pki::generateKey().value();
        const std::string path = known.directory() + "-for-" + std::to_string(lifetime.count());
        const std::string certificate = authority->issue(key, known.identity(), lifetime).value().toPem();
        EXPECT_TRUE(pki::writeCredentials(path, {issuer_->authorityPem(), pki::toPem(key).value(), certificate}).ok());
        return tls::Credentials::open(path).value();
    }
    std::vector<v1::AuditEntry> audit() {
        v1::ListAuditResponse response;
        EXPECT_TRUE(call(&Stub::ListAudit, v1::ListAuditRequest(), &response).ok());
        return {response.entries().begin(), response.entries().end()};
    }

    std::shared_ptr<tls::Credentials> alice_;
    std::shared_ptr<tls::Credentials> bob_;
    std::string operation_;
};

TEST_F(AuthTest, EveryMethodHasARight) {
    std::set<std::string> served;
    for (int i = 0; i < controllerService().method_count(); ++i) {
        served.insert(controllerService().method(i)->name());
        EXPECT_NE(findMethod(controllerService().method(i)->name()), nullptr) << controllerService().method(i)->name();
    }
    for (const Method& method : methods()) EXPECT_TRUE(served.contains(method.name)) << method.name;
}

TEST_F(AuthTest, AStrangerIsToldWhichRightIsMissingForEveryMethod) {
    bringUpAlicesSlice();
    for (int i = 0; i < controllerService().method_count(); ++i) {
        const google::protobuf::MethodDescriptor& method = *controllerService().method(i);
        const Right right = findMethod(method.name())->right;
        if (right == Right::look || right == Right::create_slices) continue;
        const grpc::Status status = callAs(*bob_, method);
        EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED) << method.name();
        EXPECT_THAT(status.error_message(),
                    HasSubstr(std::string("user 'bob' lacks the right '") + toString(right) + "'"))
            << method.name();
    }
}

// And whoever tried is in the audit log, with what was missing.
TEST_F(AuthTest, ARefusedChangeIsRecordedForEveryMethod) {
    bringUpAlicesSlice();
    for (int i = 0; i < controllerService().method_count(); ++i) {
        const google::protobuf::MethodDescriptor& method = *controllerService().method(i);
        const Method& known = *findMethod(method.name());
        if (known.right == Right::look || known.right == Right::create_slices) continue;
        const size_t before = audit().size();
        callAs(*bob_, method);
        const std::vector<v1::AuditEntry> log = audit();
        ASSERT_EQ(log.size(), before + (known.changes ? 1 : 0)) << method.name();
        if (!known.changes) continue;
        EXPECT_EQ(log.back().who(), "bob");
        EXPECT_EQ(log.back().what(), method.name());
        EXPECT_THAT(log.back().outcome(), HasSubstr(std::string("lacks the right '") + toString(known.right) + "'"));
    }
}

// TLS refuses these before there is a call.
TEST_F(AuthTest, AnExpiredCertificateAndAnotherSystemsAreRefused) {
    EXPECT_EQ(callAs(*signedFor(*alice_, -std::chrono::seconds(2)), listNodes()).error_code(),
              grpc::StatusCode::UNAVAILABLE);
    EXPECT_EQ(callAs(*alice_, listNodes()).error_code(), grpc::StatusCode::OK);
    const pki::testing_support::TestAuthority another;
    const auto stranger = tls::Credentials::open(another.credentialsOf(pki::Kind::user, "alice")).value();
    EXPECT_EQ(callAs(*stranger, listNodes()).error_code(), grpc::StatusCode::UNAVAILABLE);
}

// TLS looks at a certificate once, when the connection is made.
TEST_F(AuthTest, ACertificateThatExpiresEndsWhatIsOpen) {
    const auto brief = as(*signedFor(*alice_, std::chrono::seconds(3)));
    grpc::ClientContext context;
    const auto watch = brief->Watch(&context, v1::WatchRequest());
    v1::WatchResponse response;
    ASSERT_TRUE(watch->Read(&response));
    std::atomic<bool> ended = false;
    std::thread ticker([&] {
        while (!ended) {
            server_->tick();
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
        }
    });
    while (watch->Read(&response)) continue;
    ended = true;
    ticker.join();
    EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::CANCELLED);
    grpc::ClientContext later;
    v1::ListNodesResponse nodes;
    const grpc::Status refused = brief->ListNodes(&later, v1::ListNodesRequest(), &nodes);
    EXPECT_EQ(refused.error_code(), grpc::StatusCode::UNAUTHENTICATED);
    EXPECT_THAT(refused.error_message(), HasSubstr("the certificate of user 'alice' has expired"));
}

TEST_F(AuthTest, NobodyWithoutACertificateMayCallAnything) {
    const pki::Token token{pki::Kind::user, "alice", randomId(), issuer_->fingerprint()};
    const auto stub = v1::ControllerService::NewStub(tls::newcomerChannel(target(), token));
    grpc::ClientContext context;
    v1::ListNodesResponse nodes;
    const grpc::Status listed = stub->ListNodes(&context, v1::ListNodesRequest(), &nodes);
    EXPECT_EQ(listed.error_code(), grpc::StatusCode::UNAUTHENTICATED) << listed.error_message();
    const auto node = nodeCredentials("node1");
    for (int i = 0; i < controllerService().method_count(); ++i) {
        EXPECT_EQ(callAs(*node, *controllerService().method(i)).error_code(), grpc::StatusCode::PERMISSION_DENIED)
            << "a node is no user: " << controllerService().method(i)->name();
    }
}

TEST_F(AuthTest, ClearTextIsRefused) {
    const auto clear =
        v1::ControllerService::NewStub(grpc::CreateChannel(target(), grpc::InsecureChannelCredentials()));
    grpc::ClientContext context;
    v1::ListNodesResponse nodes;
    EXPECT_EQ(clear->ListNodes(&context, v1::ListNodesRequest(), &nodes).error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(AuthTest, ASliceIsItsOwnersAndItsMembers) {
    bringUpAlicesSlice();
    EXPECT_TRUE(getSliceAs(*alice_).ok());
    EXPECT_EQ(getSliceAs(*bob_).error_code(), grpc::StatusCode::PERMISSION_DENIED);
    EXPECT_EQ(share(*bob_, "bob").error_code(), grpc::StatusCode::PERMISSION_DENIED);
    ASSERT_TRUE(share(*alice_, "bob").ok());
    EXPECT_TRUE(getSliceAs(*bob_).ok());
    grpc::ClientContext context;
    v1::DeleteSliceRequest deletion;
    deletion.set_name("web");
    v1::Operation operation;
    const grpc::Status deleted = as(*bob_)->DeleteSlice(&context, deletion, &operation);
    EXPECT_EQ(deleted.error_message(), "user 'bob' lacks the right 'own slice' on slice 'web': ask its owner 'alice'");
    ASSERT_TRUE(share(*alice_, "bob", true).ok());
    EXPECT_EQ(getSliceAs(*bob_).error_code(), grpc::StatusCode::PERMISSION_DENIED);
}

TEST_F(AuthTest, ListsShowWhatIsOnesOwn) {
    bringUpAlicesSlice();
    const auto slicesSeenBy = [this](const tls::Credentials& credentials) {
        grpc::ClientContext context;
        v1::ListSlicesResponse slices;
        EXPECT_TRUE(as(credentials)->ListSlices(&context, v1::ListSlicesRequest(), &slices).ok());
        return slices.slices_size();
    };
    const auto sliversSeenBy = [this](const tls::Credentials& credentials) {
        grpc::ClientContext context;
        v1::ListSliversResponse slivers;
        EXPECT_TRUE(as(credentials)->ListSlivers(&context, v1::ListSliversRequest(), &slivers).ok());
        return slivers.slivers_size();
    };
    EXPECT_EQ(slicesSeenBy(*alice_), 1);
    EXPECT_EQ(sliversSeenBy(*alice_), 1);
    EXPECT_EQ(slicesSeenBy(*bob_), 0);
    EXPECT_EQ(sliversSeenBy(*bob_), 0);
}

TEST_F(AuthTest, ARemovedUserIsOutAtOnceWithAllThatIsOpen) {
    bringUpAlicesSlice();
    ASSERT_TRUE(share(*alice_, "bob").ok());
    const auto stub = as(*bob_);
    grpc::ClientContext context;
    const auto stream = stub->Exec(&context);
    stream->Write(execStart("cat"));
    v1::ExecResponse response;
    ASSERT_TRUE(stream->Read(&response));
    v1::RemoveUserRequest removal;
    removal.set_name("bob");
    v1::RemoveUserResponse removed;
    ASSERT_TRUE(call(&Stub::RemoveUser, removal, &removed).ok());
    const grpc::Status refused = getSliceAs(*bob_);
    EXPECT_EQ(refused.error_code(), grpc::StatusCode::UNAUTHENTICATED);
    EXPECT_THAT(refused.error_message(), HasSubstr("the certificate of user 'bob' was revoked"));
    server_->tick();
    while (stream->Read(&response)) continue;
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(AuthTest, ARevokedNodeIsCutOff) {
    SimulatedNode& node = addNode("node1");
    v1::RevokeNodeRequest request;
    request.set_name("node1");
    v1::RevokeNodeResponse response;
    ASSERT_TRUE(call(&Stub::RevokeNode, request, &response).ok());
    EXPECT_EQ(node.end().error_code(), grpc::StatusCode::PERMISSION_DENIED);
    const auto credentials = tls::Credentials::open(directory_ + "/node-node1").value();
    SimulatedNode back(target(), credentials, "node1", false);
    EXPECT_EQ(back.end().error_code(), grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(AuthTest, ANodeSpeaksForNoOther) {
    bringUpAlicesSlice();
    SimulatedNode impostor(target(), nodeCredentials("node2"), "node1", false);
    const grpc::Status end = impostor.end();
    EXPECT_EQ(end.error_code(), grpc::StatusCode::PERMISSION_DENIED);
    EXPECT_EQ(end.error_message(), "node 'node2' lacks the right to speak for node 'node1'");
    EXPECT_EQ(sliver().state(), v1::SLIVER_STATE_RUNNING) << "of node1 itself";
    SimulatedNode user(target(), alice_, "node1", false);
    EXPECT_EQ(user.end().error_code(), grpc::StatusCode::PERMISSION_DENIED);
}

TEST_F(AuthTest, AReportOnAnothersSliverIsNotHeard) {
    bringUpAlicesSlice();
    grpc::ClientContext context;
    const auto credentials = nodeCredentials("node2");
    const auto stream = v1::NodeLink::NewStub(channelAs(*credentials))->Connect(&context);
    v1::NodeMessage hello;
    hello.mutable_hello()->set_name("node2");
    hello.mutable_hello()->set_care_of_address(Ipv6Address::parse("fd00::2").value().toBytes());
    hello.mutable_hello()->set_api_port(7401);
    ASSERT_TRUE(stream->Write(hello));
    v1::ControllerMessage picture;
    ASSERT_TRUE(stream->Read(&picture));
    v1::NodeMessage lie;
    lie.mutable_status()->set_desired_revision(picture.desired().revision());
    v1::SliverStatus& status = *lie.mutable_status()->add_slivers();
    status.mutable_sliver()->set_slice("web");
    status.mutable_sliver()->set_index(1);
    status.set_generation(1);
    status.set_state(v1::SLIVER_STATE_FAILED);
    ASSERT_TRUE(stream->Write(lie));
    // A second message that is answered shows that the first was taken in.
    v1::NodeMessage wrong;
    wrong.mutable_hello()->set_name("node2");
    ASSERT_TRUE(stream->Write(wrong));
    while (stream->Read(&picture)) continue;
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_EQ(sliver().state(), v1::SLIVER_STATE_RUNNING);
}

// Grants go to the node that has the sliver; what they are checked with, to home agents alone.
TEST_F(AuthTest, ANodeGetsTheGrantsOfItsOwnSlivers) {
    SimulatedNode& home_agent = addNode("home", true);
    bringUpAlicesSlice();
    const v1::DesiredState picture = nodes_["node1"]->lastPicture();
    EXPECT_EQ(picture.grant_key(), "");
    ASSERT_EQ(picture.slivers_size(), 1);
    const v1::DesiredSliver& sliver = picture.slivers(0);
    const std::string key = home_agent.lastPicture().grant_key();
    pki::AddressClaim claim{"node1", Ipv6Address::fromBytes(sliver.home_address()).value(), 0, sliver.generation()};
    EXPECT_TRUE(pki::isGrantOf(sliver.home_address_grant(), key, claim));
    claim.home_address = Ipv6Address::fromBytes(sliver.slice_address()).value();
    claim.binding_id = 1;
    EXPECT_TRUE(pki::isGrantOf(sliver.slice_address_grant(), key, claim));
}

// It knows what grants are made with, and would pass them to itself.
TEST_F(AuthTest, AWithdrawnHomeAgentsGrantsAreMadeWithWhatItDoesNotKnow) {
    SimulatedNode& home_agent = addNode("home", true);
    addNode("node1", true);
    const std::string key = home_agent.lastPicture().grant_key();
    EXPECT_EQ(nodes_["node1"]->lastPicture().grant_key(), key);
    ASSERT_TRUE(controller_->setHomeAgentRole("node1", false).ok());
    EXPECT_EQ(nodes_["node1"]->end().error_code(), grpc::StatusCode::PERMISSION_DENIED);
    while (home_agent.lastPicture().node_grant_keys_size() != 1) std::this_thread::yield();
    const v1::NodeGrantKey own = home_agent.lastPicture().node_grant_keys(0);
    EXPECT_EQ(own.node(), "node1");

    bringUpAlicesSlice();  // on node1, which is an ordinary node now
    const v1::DesiredState picture = nodes_["node1"]->lastPicture();
    EXPECT_EQ(picture.grant_key(), "");
    EXPECT_EQ(picture.node_grant_keys_size(), 0);
    ASSERT_EQ(picture.slivers_size(), 1);
    const v1::DesiredSliver& sliver = picture.slivers(0);
    const pki::AddressClaim claim{"node1", Ipv6Address::fromBytes(sliver.home_address()).value(), 0,
                                  sliver.generation()};
    EXPECT_TRUE(pki::isGrantOf(sliver.home_address_grant(), own.key(), claim));
    EXPECT_FALSE(pki::isGrantOf(sliver.home_address_grant(), key, claim));

    // As one again it learns the usual key, but not its own.
    ASSERT_TRUE(controller_->setHomeAgentRole("node1", true).ok());
    nodes_.erase("node1");
    SimulatedNode& again = addNode("node1", true);
    EXPECT_EQ(again.lastPicture().grant_key(), key);
    EXPECT_EQ(again.lastPicture().node_grant_keys_size(), 0);
}

TEST_F(AuthTest, ATokenIsRedeemedOnceAndARenewalNeedsNone) {
    v1::MakeNodeTokenRequest request;
    request.set_name("node1");
    v1::JoinToken token;
    ASSERT_TRUE(call(&Stub::MakeNodeToken, request, &token).ok());
    const auto credentials = redeem(token.token());
    const auto again = enrol::join(target(), pki::parseToken(token.token()).value());
    EXPECT_EQ(again.status().code(), absl::StatusCode::kPermissionDenied);
    const std::string before = readFile(pki::identityPath(credentials->directory())).value();
    ASSERT_TRUE(enrol::renew(channelAs(*credentials), credentials->directory()).ok());
    EXPECT_NE(readFile(pki::identityPath(credentials->directory())).value(), before);
    EXPECT_EQ(tls::Credentials::open(credentials->directory()).value()->identity(), credentials->identity());
    ASSERT_TRUE(controller_->revokeNode("node1").ok());
    EXPECT_EQ(enrol::renew(channelAs(*credentials), credentials->directory()).code(),
              absl::StatusCode::kUnauthenticated);
}

TEST_F(AuthTest, AUserEditsItsOwnKeysOnly) {
    const std::string key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJvYmJvYmJvYmJvYmJvYmJvYmJvYmJvYmJvYmJv bob@example";
    v1::UserKeyRequest request;
    request.set_key(key);
    v1::User user;
    {
        grpc::ClientContext context;
        ASSERT_TRUE(as(*bob_)->AddUserKey(&context, request, &user).ok());
        EXPECT_EQ(user.name(), "bob");
    }
    request.set_user("alice");
    grpc::ClientContext context;
    EXPECT_EQ(as(*bob_)->AddUserKey(&context, request, &user).error_code(), grpc::StatusCode::PERMISSION_DENIED);
}

TEST_F(AuthTest, ChangesAndRefusedChangesAreInTheAuditLog) {
    bringUpAlicesSlice();
    const size_t before = audit().size();
    ASSERT_TRUE(getSliceAs(*alice_).ok());
    ASSERT_FALSE(share(*bob_, "bob").ok());
    ASSERT_TRUE(share(*alice_, "bob").ok());
    ASSERT_FALSE(share(*alice_, "nobody").ok());
    const std::vector<v1::AuditEntry> log = audit();
    ASSERT_EQ(log.size(), before + 3) << "a look is no change";
    EXPECT_EQ(log[before].who(), "bob");
    EXPECT_THAT(log[before].outcome(), HasSubstr("lacks the right 'own slice'"));
    EXPECT_EQ(log[before + 1].who(), "alice");
    EXPECT_EQ(log[before + 1].what(), "ShareSlice");
    EXPECT_EQ(log[before + 1].subject(), "web");
    EXPECT_EQ(log[before + 1].outcome(), "ok");
    EXPECT_GT(log[before + 1].time_us(), 0);
    EXPECT_EQ(log[before + 2].outcome(), "no user 'nobody'");
}

}  // namespace
}  // namespace homeslice::controller
