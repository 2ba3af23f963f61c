// Many nodes without machines: each has a certificate, a connection by TLS and a stream of its own, as noded has, and
// is at once what it is asked to be. Two pollers of gRPC's serve them all.
#pragma once

#include <absl/status/statusor.h>
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "pki/certificate.h"

namespace homeslice::bench {

inline constexpr const char* kImage = "image";

class SimulatedNode;

class Fleet {
public:
    explicit Fleet(const pki::Authority& authority);
    // Ends all streams.
    ~Fleet();
    Fleet(const Fleet&) = delete;
    Fleet& operator=(const Fleet&) = delete;

    // Adds nodes up to `count` in all, and waits until each has taken its picture in and said so.
    absl::Status growTo(size_t count, std::chrono::seconds patience);
    // Waits until each node has said by its present stream how it is.
    absl::Status awaitReady(std::chrono::seconds patience);
    // Waits until `slivers` run on the nodes in all.
    absl::Status awaitRunning(uint64_t slivers, std::chrono::seconds patience);

    size_t size() const { return nodes_.size(); }
    uint64_t heartbeats() const { return heartbeats_; }
    uint64_t running() const { return running_; }
    // The node that is told of this slice, which has one sliver, keeps its status back until letGo().
    void holdBack(const std::string& slice);
    // Waits for that, lets the status go out, and says when that was.
    absl::StatusOr<std::chrono::steady_clock::time_point> letGo(std::chrono::seconds patience);

private:
    friend class SimulatedNode;
    void beat();
    bool isHeldBack(const std::string& slice, SimulatedNode& node);
    absl::StatusOr<std::shared_ptr<grpc::Channel>> channelFor(size_t number) const;

    const pki::Authority& authority_;
    const pki::KeyHandle key_;
    std::vector<std::shared_ptr<SimulatedNode>> nodes_;
    std::atomic<uint64_t> ready_ = 0;    // streams that have told a status since they began
    std::atomic<uint64_t> running_ = 0;  // slivers
    std::atomic<uint64_t> heartbeats_ = 0;
    std::atomic<uint32_t> heartbeat_ms_ = 1000;
    mutable std::mutex mutex_;
    std::string held_slice_;
    std::shared_ptr<SimulatedNode> holder_;  // of that slice's sliver
    std::condition_variable held_;
    std::condition_variable stop_;
    bool stopping_ = false;
    std::thread beats_;
};

}  // namespace homeslice::bench
