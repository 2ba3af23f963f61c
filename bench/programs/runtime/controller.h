// A controller of nothing but one node: says what should run there and hears what does, over the node's own stream.
#pragma once

#include <absl/status/statusor.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "homeslice/v1/node.grpc.pb.h"
#include "pki/tls/credentials.h"
#include "rootfs.h"

namespace homeslice::bench {

// Slivers of the slice "bench", by index.
using Reports = std::map<uint32_t, v1::SliverStatus>;

class Controller final : public v1::NodeLink::Service {
public:
    explicit Controller(Rootfs rootfs) : rootfs_(std::move(rootfs)) {}
    ~Controller() override;

    // Serves on a port of its own choice, which it returns.
    absl::StatusOr<int> listen(const std::string& address, const tls::Credentials& credentials);

    // From now on the node should have these slivers and no others, each running `argv`.
    absl::Status desire(const std::vector<uint32_t>& indices, const std::vector<std::string>& argv);
    // Waits for a report for which `condition` holds. UNAVAILABLE when the node's stream ends meanwhile.
    absl::Status await(const std::string& what, const std::function<bool(const Reports&)>& condition,
                       std::chrono::seconds patience);
    absl::Status awaitNode(std::chrono::seconds patience);

private:
    using Stream = grpc::ServerReaderWriter<v1::ControllerMessage, v1::NodeMessage>;
    grpc::Status Connect(grpc::ServerContext* context, Stream* stream) override;
    grpc::Status FetchImage(grpc::ServerContext* context, const v1::FetchImageRequest* request,
                            grpc::ServerWriter<v1::Chunk>* writer) override;
    void take(v1::NodeStatus& status);
    v1::ControllerMessage pictureOf(const std::vector<uint32_t>& indices, const std::vector<std::string>& argv);

    const Rootfs rootfs_;
    std::mutex mutex_;
    std::condition_variable changed_;
    Stream* stream_ = nullptr;
    uint64_t revision_ = 0;
    Reports reports_;
    std::unique_ptr<grpc::Server> server_;  // last: its threads use the rest
};

}  // namespace homeslice::bench
