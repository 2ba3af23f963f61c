// WatchHomeBindings: the bindings of all home agents that are ready, then what changes, as the home agents tell it.
// Threads: any.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <mutex>
#include <vector>

#include "controller/api/node_clients.h"
#include "controller/core/controller.h"
#include "homeslice/v1/controller.pb.h"

namespace homeslice::controller {

class BindingStream;

class BindingStreams {
public:
    // Both outlive the gRPC server that serves this.
    BindingStreams(Controller& controller, NodeClients& clients) : controller_(controller), clients_(clients) {}

    grpc::ServerWriteReactor<v1::HomeBindingEvent>* begin();
    // Ends those that began with other home agents than are ready now: their clients begin again.
    void tick();

private:
    Controller& controller_;
    NodeClients& clients_;
    std::mutex mutex_;
    std::vector<std::weak_ptr<BindingStream>> open_;
};

}  // namespace homeslice::controller
