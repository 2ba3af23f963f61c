#include "controller/api/server.h"

#include <grpc/support/log.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>

#include <chrono>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "controller/api/controller_service.h"
#include "controller/api/enrolment_service.h"
#include "controller/api/node_link.h"
#include "controller/api/switchboard.h"
#include "controller/api/teller.h"
#include "controller/api/watch_hub.h"
#include "pki/tls/open_calls.h"
#include "rpc/acceptor.h"
#include "rpc/reflection.h"

namespace homeslice::controller {
namespace {

const std::string kUnix = "unix:";
constexpr int kMaxMessageBytes = 4 << 20;
constexpr int kMaxStreamsPerConnection = 1000;
constexpr int kMaxHandlerThreads = 64;
// A handshake takes some milliseconds, and nodes wait five seconds for theirs.
constexpr size_t kNewcomers = 256;
// Pings on idle streams, so that a link that was cut is noticed; and what nodes and clients may do of the same.
constexpr int kKeepaliveMs = 5'000;
constexpr int kKeepaliveTimeoutMs = 5'000;
constexpr int kMinClientPingMs = 900;
constexpr std::chrono::milliseconds kShutdownTime{300};

class GrpcServer : public Server {
public:
    GrpcServer(Controller& controller, ImageFiles& images, const Issuer& issuer,
               std::shared_ptr<tls::Credentials> credentials, std::unique_ptr<Switchboard> board, ServerOptions options)
        : controller_(controller),
          credentials_(std::move(credentials)),
          connection_age_(tls::connectionAge(issuer.lifetime())),
          board_(std::move(board)),
          gate_(controller, options.rate, std::move(options.leads)),
          watches_(controller),
          api_({.controller = controller,
                .images = images,
                .gate = gate_,
                .issuer = issuer,
                .watches = watches_,
                .credentials = credentials_,
                .board = *board_}),
          node_link_(gate_, images, issuer.grantKeys(), *board_),
          enrolment_(gate_, issuer),
          reflection_({v1::ControllerService::service_full_name(), v1::NodeLink::service_full_name(),
                       v1::EnrolmentService::service_full_name(), "grpc.health.v1.Health"},
                      [this](const grpc::CallbackServerContext& context) { return gate_.callerOf(context).status(); }) {
    }
    ~GrpcServer() override {
        acceptor_.stop();
        if (server_ == nullptr) return;
        controller_.closeNodes(unavailable("the controller stops"));
        watches_.closeAll(unavailable("the controller stops"));
        server_->Shutdown(std::chrono::system_clock::now() + kShutdownTime);
        server_->Wait();
    }

    absl::Status listen(const std::vector<std::string>& addresses) {
        grpc::ServerBuilder builder;
        configure(builder);
        open_calls_.watch(builder, [this] { acceptor_.callBegan(); });
        for (const std::string& address : addresses) {
            HS_ASSIGN_OR_RETURN(const uint16_t port, acceptor_.listen(builder, address, credentialsFor(address)));
            ports_.push_back(port);
        }
        // Serving means leading: clients of several controllers look for the one that does.
        grpc::EnableDefaultHealthCheckService(true);
        builder.RegisterService(&api_);
        builder.RegisterService(&node_link_);
        builder.RegisterService(&enrolment_);
        reflection_.registerWith(builder);
        server_ = builder.BuildAndStart();
        if (server_ == nullptr) return unavailable("gRPC cannot serve");
        return acceptor_.start();
    }

    void tick() override {
        api_.tick();
        open_calls_.keepOnly([this](const pki::Identity& identity) {
            // Other controllers fetch images; they have no enrolment that could be revoked.
            return identity.kind == pki::Kind::controller || controller_.checkIdentity(identity).ok();
        });
    }

    std::vector<int> ports() const override { return ports_; }

private:
    // Newcomers have no certificate yet; the gate sees to it that they can do nothing but get one.
    std::shared_ptr<grpc::ServerCredentials> credentialsFor(const std::string& address) const {
        if (address.starts_with(kUnix)) return grpc::InsecureServerCredentials();
        return credentials_->forServer(tls::ClientCertificate::optional);
    }

    void configure(grpc::ServerBuilder& builder) const {
        builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
        builder.SetResourceQuota(grpc::ResourceQuota("sliced").SetMaxThreads(kMaxHandlerThreads));
        builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxStreamsPerConnection);
        // New calls then come by another connection, for which the certificate of that day is shown; streams go on by
        // the old one.
        builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, static_cast<int>(connection_age_.count()));
        builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
        builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
        builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
        builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kMinClientPingMs);
    }

    Controller& controller_;
    const std::shared_ptr<tls::Credentials> credentials_;
    const std::chrono::milliseconds connection_age_;
    tls::OpenCalls open_calls_;
    const std::unique_ptr<Switchboard> board_;
    const Gate gate_;
    WatchHub watches_;
    ControllerApi api_;
    NodeLinkService node_link_;
    EnrolmentApi enrolment_;
    const Teller teller_{controller_};
    rpc::Reflection reflection_;
    std::vector<int> ports_;
    rpc::Acceptor acceptor_{{.silence = std::chrono::milliseconds(kKeepaliveTimeoutMs), .newcomers = kNewcomers}};
    std::unique_ptr<grpc::Server> server_;
};

// gRPC's own lines are for its developers; what matters to a person comes back as a status.
void passOnGrpcLog(gpr_log_func_args* args) { logDebug("grpc: {}", args->message); }

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::start(const std::vector<std::string>& addresses, Controller& controller,
                                                      ImageFiles& images, const Issuer& issuer, ServerOptions options) {
    gpr_set_log_function(passOnGrpcLog);
    HS_ASSIGN_OR_RETURN(auto credentials, tls::Credentials::open(issuer.credentialsDirectory()));
    HS_ASSIGN_OR_RETURN(auto board, Switchboard::start());
    auto server = std::make_unique<GrpcServer>(controller, images, issuer, std::move(credentials), std::move(board),
                                               std::move(options));
    HS_RETURN_IF_ERROR(server->listen(addresses));
    return server;
}

}  // namespace homeslice::controller
