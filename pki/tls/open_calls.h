// The calls of a server that are under way, so that they can be ended when their peer's certificate counts no more: TLS
// looks at certificates once, when a connection is made.
#pragma once

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/server_interceptor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "pki/tls/credentials.h"

namespace homeslice::tls {

// For servers of the callback API. Outlives the server. Threads: any.
class OpenCalls {
public:
    // Before the server is built. Calls by peers without a certificate are not kept; `begun`, if there is one, is
    // called for the others.
    void watch(grpc::ServerBuilder& builder, std::function<void()> begun = nullptr);
    // Cancels the calls of those who do not pass any more, and of those whose certificate has expired. Not for threads
    // of gRPC, which might carry out a cancelled call's reactions on the spot.
    void keepOnly(const std::function<bool(const pki::Identity&)>& passes);

private:
    class Interceptor;
    class Factory;

    struct Call {
        const grpc::CallbackServerContext* context;
        Peer peer;
    };

    std::vector<std::pair<uint64_t, Peer>> peers();

    std::function<void()> begun_;
    std::mutex mutex_;
    uint64_t last_number_ = 0;
    std::map<uint64_t, Call> calls_;
};

}  // namespace homeslice::tls
