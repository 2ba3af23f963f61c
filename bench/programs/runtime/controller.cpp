#include "controller.h"

#include <utility>

#include "base/file.h"
#include "base/ipv6.h"
#include "base/status.h"

namespace homeslice::bench {
namespace {

constexpr const char* kSlice = "bench";
constexpr const char* kHomePrefix = "fd51:1ce::/48";
constexpr size_t kChunk = 256 << 10;
// The limits that every contestant's containers have.
constexpr uint32_t kCpuMillis = 1000;
constexpr uint64_t kMemory = 64 << 20;
constexpr uint32_t kPids = 100;
constexpr uint32_t kShareAddress = 64;  // slivers of one slice that the data plane spreads packets over

std::string homeAddress(uint64_t interface_id) {
    static const Ipv6Address slice = Ipv6Address::parse("fd51:1ce:0:1::").value();
    return slice.withInterfaceId(interface_id).toBytes();
}

}  // namespace

Controller::~Controller() {
    if (server_) server_->Shutdown(std::chrono::system_clock::now());
}

absl::StatusOr<int> Controller::listen(const std::string& address, const tls::Credentials& credentials) {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address, credentials.forServer(tls::ClientCertificate::required), &port);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    if (!server_) return internalError("cannot listen on " + address);
    return port;
}

grpc::Status Controller::Connect(grpc::ServerContext* /*context*/, Stream* stream) {
    {
        const std::lock_guard lock(mutex_);
        stream_ = stream;
        stream->Write(pictureOf({}, {}));
    }
    v1::NodeMessage message;
    while (stream->Read(&message)) {
        if (!message.has_status()) continue;
        const std::lock_guard lock(mutex_);
        take(*message.mutable_status());
        changed_.notify_all();
    }
    const std::lock_guard lock(mutex_);
    if (stream_ == stream) stream_ = nullptr;
    changed_.notify_all();
    return grpc::Status::OK;
}

// The first status of a stream is whole, those after it say what has changed.
void Controller::take(v1::NodeStatus& status) {
    if (!status.changes_only()) reports_.clear();
    for (v1::SliverStatus& each : *status.mutable_slivers()) reports_[each.sliver().index()] = std::move(each);
    for (const v1::SliverId& gone : status.gone()) reports_.erase(gone.index());
}

grpc::Status Controller::FetchImage(grpc::ServerContext* /*context*/, const v1::FetchImageRequest* /*request*/,
                                    grpc::ServerWriter<v1::Chunk>* writer) {
    const auto archive = readFile(rootfs_.archive);
    if (!archive.ok()) return {grpc::StatusCode::INTERNAL, messageOf(archive.status())};
    v1::Chunk chunk;
    for (size_t at = 0; at < archive->size(); at += kChunk) {
        chunk.set_data(archive->substr(at, kChunk));
        if (!writer->Write(chunk)) break;
    }
    return grpc::Status::OK;
}

v1::ControllerMessage Controller::pictureOf(const std::vector<uint32_t>& indices,
                                            const std::vector<std::string>& argv) {
    v1::ControllerMessage message;
    v1::DesiredState& desired = *message.mutable_desired();
    desired.set_revision(++revision_);
    desired.set_home_prefix(kHomePrefix);
    for (const uint32_t index : indices) {
        v1::DesiredSliver& sliver = *desired.add_slivers();
        sliver.mutable_sliver()->set_slice(kSlice);
        sliver.mutable_sliver()->set_index(index);
        sliver.set_generation(1);
        sliver.set_run(v1::DESIRED_RUN_RUNNING);
        v1::SliverTemplate& base = *sliver.mutable_base();
        base.set_image("busybox");
        base.set_image_digest(rootfs_.digest);
        base.mutable_argv()->Assign(argv.begin(), argv.end());
        base.mutable_resources()->set_cpu_millis(kCpuMillis);
        base.mutable_resources()->set_memory_bytes(kMemory);
        base.mutable_resources()->set_pids(kPids);
        sliver.set_home_address(homeAddress(0x10000 + index));
        sliver.set_slice_address(homeAddress(1 + index / kShareAddress));
    }
    return message;
}

absl::Status Controller::desire(const std::vector<uint32_t>& indices, const std::vector<std::string>& argv) {
    const std::lock_guard lock(mutex_);
    if (stream_ == nullptr) return unavailable("the node is not connected");
    return stream_->Write(pictureOf(indices, argv)) ? absl::OkStatus() : unavailable("the node's stream is broken");
}

absl::Status Controller::await(const std::string& what, const std::function<bool(const Reports&)>& condition,
                               std::chrono::seconds patience) {
    std::unique_lock lock(mutex_);
    const bool came = changed_.wait_for(lock, patience, [&] { return stream_ == nullptr || condition(reports_); });
    if (stream_ == nullptr) return unavailable("the node's stream ended while waiting for " + what);
    return came ? absl::OkStatus() : deadlineExceeded("waiting for " + what);
}

absl::Status Controller::awaitNode(std::chrono::seconds patience) {
    std::unique_lock lock(mutex_);
    const bool came = changed_.wait_for(lock, patience, [this] { return stream_ != nullptr; });
    return came ? absl::OkStatus() : deadlineExceeded("waiting for the node");
}

}  // namespace homeslice::bench
