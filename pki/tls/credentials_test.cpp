// Handshakes over loopback: who gets through, and as whom.
#include "pki/tls/credentials.h"

#include <grpc/support/log.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

#include "pki/test_authority.h"

namespace homeslice::tls {
namespace {

using pki::Identity;
using pki::Kind;
using pki::testing_support::TestAuthority;
using std::chrono::seconds;

// Ends every call; says in the message whom it saw.
class WhoAmI : public grpc::CallbackGenericService {
public:
    grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* context) override {
        class Reactor : public grpc::ServerGenericBidiReactor {
            void OnDone() override { delete this; }
        };
        const auto peer = peerOf(*context->auth_context());
        auto* reactor = new Reactor();
        reactor->Finish({grpc::StatusCode::ALREADY_EXISTS,
                         peer.ok() ? toUri(peer->identity) : std::string(peer.status().message())});
        return reactor;
    }
};

class CredentialsTest : public testing::Test {
protected:
    // Every refusal is an error to gRPC, and so is each directory that an earlier test has removed.
    void SetUp() override {
        gpr_set_log_function([](gpr_log_func_args* /*arguments*/) {});
    }
    void serve(const std::string& directory, ClientCertificate wanted) {
        credentials_ = Credentials::open(directory).value();
        grpc::ServerBuilder builder;
        builder.AddListeningPort("[::1]:0", credentials_->forServer(wanted), &port_);
        builder.RegisterCallbackGenericService(&service_);
        server_ = builder.BuildAndStart();
        ASSERT_NE(server_, nullptr);
    }
    void serveAsController(ClientCertificate wanted = ClientCertificate::required) {
        serve(authority_.credentialsOf(Kind::controller, "controller"), wanted);
    }
    void TearDown() override {
        if (server_) server_->Shutdown(std::chrono::system_clock::now());
    }
    std::string target() const { return "ipv6:[::1]:" + std::to_string(port_); }

    static grpc::Status call(const std::shared_ptr<grpc::Channel>& channel) {
        grpc::GenericStub stub(channel);
        grpc::ClientContext context;
        context.set_deadline(std::chrono::system_clock::now() + seconds(20));
        const grpc::Slice nothing("");
        grpc::ByteBuffer request(&nothing, 1);
        grpc::ByteBuffer response;
        std::mutex mutex;
        std::condition_variable changed;
        std::optional<grpc::Status> result;
        stub.UnaryCall(&context, "/test/Who", grpc::StubOptions(), &request, &response, [&](grpc::Status status) {
            const std::lock_guard lock(mutex);
            result = std::move(status);
            changed.notify_all();
        });
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return result.has_value(); });
        return *result;
    }
    grpc::Status callWith(const std::string& directory, const std::string& server_name = pki::kControllerName) {
        return call(Credentials::open(directory).value()->channel(target(), server_name, {}));
    }
    static bool refused(const grpc::Status& status) { return status.error_code() == grpc::StatusCode::UNAVAILABLE; }

    TestAuthority authority_;
    std::shared_ptr<Credentials> credentials_;
    WhoAmI service_;
    std::unique_ptr<grpc::Server> server_;
    int port_ = 0;
};

TEST_F(CredentialsTest, BothSidesKnowWhomTheySpeakTo) {
    serveAsController();
    const std::string directory = authority_.credentialsOf(Kind::node, "node1");
    const auto client = Credentials::open(directory).value();
    const grpc::Status status = call(client->channel(target(), pki::kControllerName, {}));
    EXPECT_EQ(status.error_message(), toUri(client->identity()));
}

TEST_F(CredentialsTest, AServerThatIsNotWhoIsCalledIsNotSpokenTo) {
    serve(authority_.credentialsOf(Kind::node, "node1"), ClientCertificate::required);
    const std::string client = authority_.credentialsOf(Kind::node, "node2");
    EXPECT_TRUE(refused(callWith(client, pki::kControllerName)));
    EXPECT_TRUE(refused(callWith(client, pki::nodeServerName("node3"))));
    EXPECT_FALSE(refused(callWith(client, pki::nodeServerName("node1"))));
    EXPECT_FALSE(refused(callWith(client, pki::kAnyNodeName)));
}

TEST_F(CredentialsTest, AUsersCertificateServesNothing) {
    serve(authority_.credentialsOf(Kind::user, "controller"), ClientCertificate::required);
    EXPECT_TRUE(refused(callWith(authority_.credentialsOf(Kind::node, "node1"))));
}

TEST_F(CredentialsTest, AnotherAuthoritysCertificateIsRefused) {
    serveAsController(ClientCertificate::optional);
    const TestAuthority other;
    const std::string stranger = other.credentialsOf(Kind::node, "node1");
    EXPECT_TRUE(refused(callWith(stranger))) << "it would not trust the server either";
    ASSERT_TRUE(replaceFile(pki::authorityPath(stranger), authority_.authority().certificate().toPem()).ok());
    const std::string identity = pki::identityPath(stranger);
    const auto mixed = std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
        identity, identity, pki::authorityPath(stranger), 1);
    grpc::experimental::TlsChannelCredentialsOptions options;
    options.set_certificate_provider(mixed);
    options.watch_identity_key_cert_pairs();
    options.watch_root_certs();
    grpc::ChannelArguments arguments;
    arguments.SetSslTargetNameOverride(pki::kControllerName);
    EXPECT_TRUE(
        refused(call(grpc::CreateCustomChannel(target(), grpc::experimental::TlsCredentials(options), arguments))));
}

TEST_F(CredentialsTest, AnExpiredCertificateIsRefused) {
    serveAsController(ClientCertificate::optional);
    EXPECT_TRUE(refused(callWith(authority_.credentialsOf(Kind::node, "node1", -seconds(2)))));
}

TEST_F(CredentialsTest, ClearTextIsRefused) {
    serveAsController(ClientCertificate::optional);
    EXPECT_TRUE(refused(call(grpc::CreateChannel(target(), grpc::InsecureChannelCredentials()))));
}

TEST_F(CredentialsTest, ANewcomerKnowsTheControllerByItsFingerprint) {
    serveAsController(ClientCertificate::optional);
    const pki::Token token{Kind::node, "node1", randomId(), authority_.authority().certificate().fingerprint()};
    EXPECT_EQ(call(newcomerChannel(target(), token)).error_message(), "a certificate is needed");
    const TestAuthority other;
    const pki::Token wrong{Kind::node, "node1", randomId(), other.authority().certificate().fingerprint()};
    EXPECT_TRUE(refused(call(newcomerChannel(target(), wrong))));
}

TEST_F(CredentialsTest, ANodeIsNoControllerToANewcomer) {
    serve(authority_.credentialsOf(Kind::node, "node1"), ClientCertificate::optional);
    const pki::Token token{Kind::node, "node1", randomId(), authority_.authority().certificate().fingerprint()};
    EXPECT_TRUE(refused(call(newcomerChannel(target(), token))));
}

TEST_F(CredentialsTest, WithoutACertificateNobodyReachesANode) {
    serveAsController(ClientCertificate::required);
    const pki::Token token{Kind::node, "node1", randomId(), authority_.authority().certificate().fingerprint()};
    EXPECT_TRUE(refused(call(newcomerChannel(target(), token))));
}

TEST_F(CredentialsTest, ARenewedCertificateIsShownWithoutARestart) {
    serveAsController();
    const std::string directory = authority_.credentialsOf(Kind::node, "node1");
    const auto client = Credentials::open(directory).value();
    const Identity renewed{Kind::node, "node1", randomId()};
    authority_.write(directory, renewed, std::chrono::hours(1));
    const auto deadline = Monotonic::now() + seconds(20);
    std::string seen;
    while (seen != toUri(renewed) && Monotonic::now() < deadline) {
        grpc::ChannelArguments anew;
        anew.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
        seen = call(client->channel(target(), pki::kControllerName, anew)).error_message();
    }
    EXPECT_EQ(seen, toUri(renewed));
}

}  // namespace
}  // namespace homeslice::tls
