#include "controller/leader/follower_server.h"

#include <grpcpp/ext/health_check_service_server_builder_option.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <utility>

#include "base/reason.h"
#include "base/status.h"
#include "controller/api/image_sender.h"
#include "controller/api/refused.h"
#include "homeslice/v1/node.grpc.pb.h"
#include "leader/controllers.h"
#include "pki/tls/credentials.h"
#include "rpc/acceptor.h"
#include "rpc/status.h"

namespace homeslice::controller {
namespace {

constexpr std::chrono::milliseconds kShutdownTime{100};
constexpr int kMaxHandlerThreads = 16;
constexpr std::chrono::seconds kSilence{5};

grpc::Status refusal(grpc::ServerContextBase& context, const std::string& leader) {
    context.AddTrailingMetadata(leader::kLeaderMetadata, leader);
    const absl::Status why = leader.empty()
                                 ? unavailable("no controller leads at present; one will within a few seconds")
                                 : unavailable("this controller does not lead; the one at " + leader + " does");
    return rpc::toGrpc(because(why, reason::kNotLeading, {{"leader", leader}}));
}

class Redirection : public grpc::ServerGenericBidiReactor {
public:
    explicit Redirection(const grpc::Status& why) { Finish(why); }
    void OnDone() override { delete this; }
};

// Every method that is not registered.
class RedirectingService : public grpc::CallbackGenericService {
public:
    explicit RedirectingService(const FollowerServer::Parts& parts) : parts_(parts) {}

    grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* context) override {
        return new Redirection(refusal(*context, parts_.leader()));
    }

private:
    const FollowerServer::Parts& parts_;
};

class FollowerNodeLink : public v1::NodeLink::CallbackService {
public:
    explicit FollowerNodeLink(const FollowerServer::Parts& parts) : parts_(parts) {}

    grpc::ServerBidiReactor<v1::NodeMessage, v1::ControllerMessage>* Connect(
        grpc::CallbackServerContext* context) override {
        return new RefusedAs<grpc::ServerBidiReactor<v1::NodeMessage, v1::ControllerMessage>>(
            refusal(*context, parts_.leader()));
    }
    grpc::ServerWriteReactor<v1::Chunk>* FetchImage(grpc::CallbackServerContext* context,
                                                    const v1::FetchImageRequest* request) override {
        if (isController(*context)) return sendImage(parts_.images.openArchive(request->digest()));
        return new RefusedAs<grpc::ServerWriteReactor<v1::Chunk>>(refusal(*context, parts_.leader()));
    }
    grpc::ServerBidiReactor<v1::Chunk, v1::Chunk>* Listen(grpc::CallbackServerContext* context) override {
        return new RefusedAs<grpc::ServerBidiReactor<v1::Chunk, v1::Chunk>>(refusal(*context, parts_.leader()));
    }
    grpc::ServerBidiReactor<v1::DialRequest, v1::Chunk>* Dial(grpc::CallbackServerContext* context) override {
        return new RefusedAs<grpc::ServerBidiReactor<v1::DialRequest, v1::Chunk>>(refusal(*context, parts_.leader()));
    }

private:
    const FollowerServer::Parts& parts_;
};

class GrpcFollowerServer : public FollowerServer {
public:
    explicit GrpcFollowerServer(const Parts& parts) : parts_(parts), redirecting_(parts_), node_link_(parts_) {}
    ~GrpcFollowerServer() override {
        acceptor_.stop();
        if (server_ == nullptr) return;
        server_->Shutdown(std::chrono::system_clock::now() + kShutdownTime);
        server_->Wait();
    }

    absl::Status listen(const std::vector<std::string>& addresses) {
        HS_ASSIGN_OR_RETURN(const auto credentials, tls::Credentials::open(parts_.issuer.credentialsDirectory()));
        grpc::ServerBuilder builder;
        builder.SetResourceQuota(grpc::ResourceQuota("sliced").SetMaxThreads(kMaxHandlerThreads));
        for (const std::string& address : addresses) {
            const bool local = address.starts_with("unix:");
            const auto shown =
                local ? grpc::InsecureServerCredentials() : credentials->forServer(tls::ClientCertificate::optional);
            HS_RETURN_IF_ERROR(acceptor_.listen(builder, address, shown).status());
        }
        // Nor is it in good health in the sense of grpc.health.v1, which goes to the redirection too.
        builder.SetOption(std::make_unique<grpc::HealthCheckServiceServerBuilderOption>(nullptr));
        builder.RegisterService(&node_link_);
        builder.RegisterCallbackGenericService(&redirecting_);
        server_ = builder.BuildAndStart();
        if (server_ == nullptr) return unavailable("gRPC cannot serve");
        return acceptor_.start();
    }

private:
    const Parts parts_;
    RedirectingService redirecting_;
    FollowerNodeLink node_link_;
    rpc::Acceptor acceptor_{{.silence = kSilence}};
    std::unique_ptr<grpc::Server> server_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<FollowerServer>> FollowerServer::start(const std::vector<std::string>& addresses,
                                                                      const Parts& parts) {
    auto server = std::make_unique<GrpcFollowerServer>(parts);
    HS_RETURN_IF_ERROR(server->listen(addresses));
    return server;
}

}  // namespace homeslice::controller
