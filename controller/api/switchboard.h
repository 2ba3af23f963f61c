// Connections to nodes behind NATs, which can only call, not be called: put through the calls that they hold open here
// (NodeLink.Listen). To the two ends they are plain connections, on which they speak TLS with each other. Threads: any.
#pragma once

#include <absl/status/statusor.h>
#include <grpcpp/grpcpp.h>

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/ipv6.h"
#include "base/local_listener.h"
#include "controller/api/fd_waiter.h"
#include "homeslice/v1/node.grpc.pb.h"

namespace homeslice::controller {

class Switchboard {
public:
    static absl::StatusOr<std::unique_ptr<Switchboard>> start();
    // After the server whose calls go through it.
    ~Switchboard() = default;

    // What a gRPC channel connects to in order to reach the node's API. A connection waits until the node has a call
    // open.
    absl::StatusOr<std::string> targetFor(const std::string& node);

    // The reactors of NodeLink.Listen and NodeLink.Dial, for callers that were let in.
    grpc::ServerBidiReactor<v1::Chunk, v1::Chunk>* listen(const std::string& node);
    grpc::ServerBidiReactor<v1::DialRequest, v1::Chunk>* dial();

private:
    class ListenCall;
    class DialCall;

    struct Line {
        LocalListener listener;
        std::deque<std::shared_ptr<ListenCall>> calls;  // unused
        std::deque<UniqueFd> waiting;                   // connections without a call
    };

    explicit Switchboard(std::unique_ptr<FdWaiter> waiter) : waiter_(std::move(waiter)) {}
    absl::StatusOr<Line*> lineOf(const std::string& node);
    void awaitConnection(const std::string& node, const Line& line);
    void takeConnections(const std::string& node);
    static void putThrough(Line& line);
    void leave(const std::string& node, const ListenCall* call);
    absl::StatusOr<UniqueFd> connectTo(const Ipv6Address& care_of_address);

    std::mutex mutex_;
    std::map<std::string, Line> lines_;  // by node; never removed
    // Last, so that its thread ends first.
    const std::unique_ptr<FdWaiter> waiter_;
};

}  // namespace homeslice::controller
