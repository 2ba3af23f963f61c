#include "controller/api/server.h"

#include <grpc/support/log.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "controller/api/controller_service.h"
#include "controller/api/listen.h"
#include "controller/api/node_link.h"

namespace homeslice::controller {
namespace {

constexpr int kMaxMessageBytes = 4 << 20;
constexpr int kMaxStreamsPerConnection = 1000;
constexpr int kMaxHandlerThreads = 64;
// Pings on idle streams, so that a link that was cut is noticed; and what nodes and clients may do of the same.
constexpr int kKeepaliveMs = 5'000;
constexpr int kKeepaliveTimeoutMs = 5'000;
constexpr int kMinClientPingMs = 900;
constexpr std::chrono::milliseconds kShutdownTime{300};

class GrpcServer : public Server {
public:
    GrpcServer(Controller& controller, ImageFiles& images)
        : controller_(controller), api_(controller, images), node_link_(controller, images) {}
    ~GrpcServer() override {
        if (server_ == nullptr) return;
        controller_.closeNodes(unavailable("the controller stops"));
        server_->Shutdown(std::chrono::system_clock::now() + kShutdownTime);
        server_->Wait();
    }

    absl::Status listen(const std::vector<std::string>& addresses) {
        for (const std::string& address : addresses) HS_RETURN_IF_ERROR(checkListen(address));
        grpc::ServerBuilder builder;
        configure(builder);
        ports_.resize(addresses.size());
        for (size_t i = 0; i < addresses.size(); ++i) {
            builder.AddListeningPort(addresses[i], grpc::InsecureServerCredentials(), &ports_[i]);
        }
        builder.RegisterService(&api_);
        builder.RegisterService(&node_link_);
        server_ = builder.BuildAndStart();
        if (server_ == nullptr) return unavailable("cannot listen on the given addresses");
        return absl::OkStatus();
    }

    std::vector<int> ports() const override { return ports_; }

private:
    static void configure(grpc::ServerBuilder& builder) {
        builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
        builder.SetResourceQuota(grpc::ResourceQuota("sliced").SetMaxThreads(kMaxHandlerThreads));
        // With port sharing a second sliced would take half of the first one's calls.
        builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
        builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxStreamsPerConnection);
        builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
        builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
        builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
        builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kMinClientPingMs);
    }

    Controller& controller_;
    ControllerApi api_;
    NodeLinkService node_link_;
    std::vector<int> ports_;
    std::unique_ptr<grpc::Server> server_;
};

// gRPC's own lines are for its developers; what matters to a person comes back as a status.
void passOnGrpcLog(gpr_log_func_args* args) { logDebug("grpc: {}", args->message); }

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::start(const std::vector<std::string>& addresses, Controller& controller,
                                                      ImageFiles& images) {
    gpr_set_log_function(passOnGrpcLog);
    auto server = std::make_unique<GrpcServer>(controller, images);
    HS_RETURN_IF_ERROR(server->listen(addresses));
    return server;
}

}  // namespace homeslice::controller
