// Listens and accepts in gRPC's stead, and hands it the connections.
//
// gRPC 1.51 gives a port up for good when an accept(2) fails, for want of descriptors or since the connection was reset
// before it was taken: whoever opens many connections closes the door to everybody (CVE-2023-4785).
#pragma once

#include <absl/status/statusor.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"

namespace homeslice::rpc {

// Threads: one caller at a time, but for callBegan(): any. Connections are accepted by a thread of its own.
class Acceptor {
public:
    struct Limits {
        // A connection whose peer has taken nothing for so long ends (TCP_USER_TIMEOUT of tcp(7)).
        std::chrono::milliseconds silence;
        // So many TCP connections are accepted before the first of them is in use; 0: any. Thousands that come at once
        // wait in the kernel's queue: side by side their handshakes would all take longer than their peers wait.
        size_t newcomers = 0;
        // After that time nobody is a newcomer any more.
        std::chrono::milliseconds newcomer_time{2000};
    };
    explicit Acceptor(const Limits& limits) : limits_(limits) {}
    ~Acceptor() { stop(); }
    Acceptor(const Acceptor&) = delete;
    Acceptor& operator=(const Acceptor&) = delete;

    // Before the server is built. The port, 0 for a Unix socket. Errors as of listenOn().
    absl::StatusOr<uint16_t> listen(grpc::ServerBuilder& builder, const std::string& address,
                                    std::shared_ptr<grpc::ServerCredentials> credentials);
    // Once the server runs.
    absl::Status start();
    // Before the server is shut down. What was accepted stays.
    void stop();
    // A newcomer has shown what it wants, and is none any more.
    void callBegan();

private:
    using Time = std::chrono::steady_clock::time_point;

    struct Door {
        UniqueFd listening;
        std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> server;
        std::string unix_path;  // empty: TCP
    };

    void run();
    // Whether nothing stands in the way of accepting more.
    bool acceptAll(const Door& door);
    bool hasRoom();
    void handIn(const Door& door, int fd);

    const Limits limits_;
    std::vector<Door> doors_;
    UniqueFd stop_;  // an eventfd
    std::thread thread_;
    int obstacle_ = 0;  // errno of the accept(2) that failed last; 0: it did not
    std::mutex mutex_;
    std::deque<Time> newcomers_;  // when each came
};

}  // namespace homeslice::rpc
