#include "noded/api/server.h"

#include <grpc/support/log.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>

#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include "base/ipv4.h"
#include "base/log.h"
#include "base/status.h"
#include "noded/api/binding_service.h"
#include "noded/api/flow_service.h"
#include "noded/api/io_loop.h"
#include "noded/api/node_service.h"
#include "noded/api/workers.h"
#include "rpc/acceptor.h"
#include "rpc/listen.h"
#include "rpc/reflection.h"

namespace homeslice::api {
namespace {

// Commands and transfers at once. Each costs a thread that sleeps.
constexpr size_t kMaxWorkers = 1024;
constexpr std::chrono::milliseconds kGrace{200};
constexpr int kKeepaliveTimeoutMs = 5'000;

std::string textOf(const Server::Config& config) { return endpointText(config.address, config.port); }

void setLimits(grpc::ServerBuilder& builder, std::chrono::milliseconds connection_age) {
    constexpr int kMaxMessageBytes = 1024 * 1024;
    constexpr int kKeepaliveMs = 10'000;
    constexpr int kShortestPingIntervalMs = 500;
    builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
    // New calls then come by another connection, for which the certificate of that day is shown; streams go on by the
    // old one.
    builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, static_cast<int>(connection_age.count()));
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
    // Our own clients ping often, to notice dead peers within seconds; gRPC takes that for an attack unless told.
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kShortestPingIntervalMs);
}

class GrpcServer final : public Server {
public:
    GrpcServer(const Dependencies& dependencies, std::unique_ptr<IoLoop> loop)
        : loop_(std::move(loop)),
          workers_(kMaxWorkers),
          peers_(dependencies.peers),
          node_service_(dependencies.manager, dependencies.inspect, dependencies.peers, *loop_, workers_) {
        if (dependencies.flows != nullptr) {
            flow_service_ = std::make_unique<FlowService>(*dependencies.flows, workers_);
        }
        if (dependencies.home_agent == nullptr) return;
        binding_service_ =
            std::make_unique<BindingService>(BindingService::Parts{.home_agent = *dependencies.home_agent,
                                                                   .grants = dependencies.grants,
                                                                   .forwarder = dependencies.forwarder,
                                                                   .loop = *loop_,
                                                                   .workers = workers_,
                                                                   .keepalives = dependencies.keepalives});
    }

    ~GrpcServer() override {
        acceptor_.stop();
        if (server_) server_->Shutdown(std::chrono::system_clock::now() + kGrace);
    }

    absl::Status listen(const Config& config) {
        grpc::ServerBuilder builder;
        setLimits(builder, tls::connectionAge(config.credentials->lifetime()));
        const auto credentials = config.credentials->forServer(tls::ClientCertificate::required);
        peers_.guard(builder, *credentials);
        HS_ASSIGN_OR_RETURN(port_, acceptor_.listen(builder, textOf(config), credentials));
        builder.RegisterService(&node_service_);
        std::vector<std::string> services{v1::NodeService::service_full_name(), "grpc.health.v1.Health"};
        if (flow_service_) {
            builder.RegisterService(flow_service_.get());
            services.emplace_back(v1::FlowService::service_full_name());
        }
        if (binding_service_) {
            builder.RegisterService(binding_service_.get());
            services.emplace_back(v1::BindingService::service_full_name());
        }
        grpc::EnableDefaultHealthCheckService(true);
        // Whom the peer table lets in may ask.
        reflection_.emplace(services, [](const grpc::CallbackServerContext&) { return absl::OkStatus(); });
        reflection_->registerWith(builder);
        server_ = builder.BuildAndStart();
        if (!server_) return unavailable("gRPC cannot serve");
        return acceptor_.start();
    }

    uint16_t port() const override { return port_; }

private:
    // In the order of need: calls use the workers, both use the loop.
    std::unique_ptr<IoLoop> loop_;
    Workers workers_;
    PeerTable& peers_;
    NodeService node_service_;
    std::unique_ptr<FlowService> flow_service_;
    std::unique_ptr<BindingService> binding_service_;
    std::optional<rpc::Reflection> reflection_;
    uint16_t port_ = 0;
    rpc::Acceptor acceptor_{{.silence = std::chrono::milliseconds(kKeepaliveTimeoutMs)}};
    std::unique_ptr<grpc::Server> server_;
};

}  // namespace

absl::Status Server::probe(const Config& config) { return rpc::listenOn(textOf(config)).status(); }

absl::StatusOr<std::unique_ptr<Server>> Server::start(const Config& config, const Dependencies& dependencies) {
    HS_ASSIGN_OR_RETURN(auto loop, IoLoop::start());
    auto server = std::make_unique<GrpcServer>(dependencies, std::move(loop));
    HS_RETURN_IF_ERROR(server->listen(config));
    return server;
}

void redirectGrpcLog() {
    gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR);
    gpr_set_log_function([](gpr_log_func_args* arguments) { logDebug("grpc: {}", arguments->message); });
}

}  // namespace homeslice::api
