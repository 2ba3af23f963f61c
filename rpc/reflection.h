// gRPC server reflection, by which grpcurl and the like learn what a server offers: grpc.reflection.v1, and v1alpha for
// older tools. Of the callback API, unlike gRPC's own, which holds a thread for each stream and asks nobody who calls.
#pragma once

#include <absl/status/status.h>
#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace homeslice::rpc {

class Reflection {
public:
    // Whether the caller may ask. Threads: gRPC's.
    using Admit = std::function<absl::Status(const grpc::CallbackServerContext&)>;

    // `services`: full names, "homeslice.v1.NodeService"; generated code for them is linked. Lives as long as the
    // server.
    Reflection(std::vector<std::string> services, Admit admit);
    ~Reflection();
    void registerWith(grpc::ServerBuilder& builder);

private:
    std::vector<std::unique_ptr<grpc::Service>> versions_;
};

}  // namespace homeslice::rpc
