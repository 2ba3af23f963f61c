// BindingService, for the home agent role. Internal to api/server.
#pragma once

#include <grpcpp/grpcpp.h>

#include "homeslice/v1/binding.grpc.pb.h"
#include "noded/api/grant_check.h"
#include "noded/api/io_loop.h"
#include "noded/api/workers.h"
#include "noded/mobility/forwarder.h"
#include "noded/mobility/home_agent.h"
#include "noded/mobility/keepalive_server.h"

namespace homeslice::api {

class BindingService final : public v1::BindingService::CallbackService {
public:
    static constexpr size_t kMaxBehind = 16384;

    // All outlive the gRPC server that serves this.
    struct Parts {
        mobility::HomeAgent& home_agent;
        const GrantCheck& grants;
        mobility::Forwarder& forwarder;
        IoLoop& loop;
        Workers& workers;
        mobility::KeepaliveServer* keepalives = nullptr;  // null where nobody can be behind a NAT: over IPv6
    };
    // A watcher that is more than `max_behind` changes behind what it was sent is ended (RESOURCE_EXHAUSTED, or
    // CANCELLED when it takes nothing at all): it comes back and gets a whole snapshot.
    explicit BindingService(const Parts& parts, size_t max_behind = kMaxBehind)
        : parts_(parts), max_behind_(max_behind) {}

    grpc::ServerBidiReactor<v1::BindingUpdate, v1::BindingAcknowledgement>* Update(
        grpc::CallbackServerContext* context) override;
    grpc::ServerWriteReactor<v1::BindingEvent>* Watch(grpc::CallbackServerContext* context,
                                                      const v1::WatchBindingsRequest* request) override;
    grpc::ServerUnaryReactor* SetKeepaliveKey(grpc::CallbackServerContext* context, const v1::KeepaliveKey* request,
                                              v1::KeepaliveKeySet* response) override;
    grpc::ServerWriteReactor<v1::FlowBatch>* WatchFlows(grpc::CallbackServerContext* context,
                                                        const v1::WatchFlowsRequest* request) override;

private:
    const Parts parts_;
    const size_t max_behind_;
};

}  // namespace homeslice::api
