// BindingService, for the home agent role. Internal to api/server.
#pragma once

#include <grpcpp/grpcpp.h>

#include "homeslice/v1/binding.grpc.pb.h"
#include "noded/api/grant_check.h"
#include "noded/api/io_loop.h"
#include "noded/mobility/forwarder.h"
#include "noded/mobility/home_agent.h"
#include "noded/mobility/keepalive_server.h"

namespace homeslice::api {

class BindingService final : public v1::BindingService::CallbackService {
public:
    static constexpr size_t kMaxBehind = 16384;

    // All outlive the gRPC server that serves this. A watcher that is more than `max_behind` changes behind what it was
    // sent is ended (RESOURCE_EXHAUSTED, or CANCELLED when it takes nothing at all): it comes back and gets a whole
    // snapshot.
    // `keepalives` is null where nobody can be behind a NAT: on an IPv6 underlay.
    BindingService(mobility::HomeAgent& home_agent, const GrantCheck& grants, mobility::Forwarder& forwarder,
                   IoLoop& loop, size_t max_behind = kMaxBehind, mobility::KeepaliveServer* keepalives = nullptr)
        : home_agent_(home_agent),
          grants_(grants),
          forwarder_(forwarder),
          loop_(loop),
          max_behind_(max_behind),
          keepalives_(keepalives) {}

    grpc::ServerBidiReactor<v1::BindingUpdate, v1::BindingAcknowledgement>* Update(
        grpc::CallbackServerContext* context) override;
    grpc::ServerWriteReactor<v1::BindingEvent>* Watch(grpc::CallbackServerContext* context,
                                                      const v1::WatchBindingsRequest* request) override;
    grpc::ServerUnaryReactor* SetKeepaliveKey(grpc::CallbackServerContext* context, const v1::KeepaliveKey* request,
                                              v1::KeepaliveKeySet* response) override;

private:
    mobility::HomeAgent& home_agent_;
    const GrantCheck& grants_;
    mobility::Forwarder& forwarder_;
    IoLoop& loop_;
    size_t max_behind_;
    mobility::KeepaliveServer* const keepalives_;
};

}  // namespace homeslice::api
