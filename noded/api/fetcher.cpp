#include "noded/api/fetcher.h"

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <mutex>
#include <set>
#include <utility>

#include "base/defer.h"
#include "base/file.h"
#include "base/ipv4.h"
#include "base/nat.h"
#include "base/status.h"
#include "homeslice/v1/node.grpc.pb.h"
#include "noded/api/channel.h"
#include "noded/api/convert.h"
#include "noded/api/dialled_way.h"
#include "noded/api/grpc_status.h"

namespace homeslice::api {
namespace {

constexpr std::chrono::milliseconds kFirstRetry{100};

// A stream of chunks, read by one thread that can wait for each with a time-out.
class ChunkReader final : public grpc::ClientReadReactor<v1::Chunk> {
public:
    void begin() {
        AddHold();  // for readNext(), which comes from outside; given up with the last read
        StartRead(&chunk_);
        StartCall();
    }

    // Copies the stream into `fd` until it ends.
    absl::Status copyTo(int fd, std::chrono::milliseconds patience, grpc::ClientContext& context) {
        const absl::Status status = copyChunks(fd, patience);
        if (!status.ok()) {
            context.TryCancel();
            drain();
        }
        const absl::Status end = waitForEnd();
        return status.ok() ? end : status;
    }

    void OnReadDone(bool ok) override {
        {
            const std::lock_guard lock(mutex_);
            state_ = ok ? State::arrived : State::no_more;
            changed_.notify_all();
        }
        if (!ok) RemoveHold();
    }

    void OnDone(const grpc::Status& status) override {
        const std::lock_guard lock(mutex_);
        end_ = status;
        done_ = true;
        changed_.notify_all();
    }

private:
    enum class State { reading, arrived, no_more };

    absl::Status copyChunks(int fd, std::chrono::milliseconds patience) {
        for (;;) {
            HS_ASSIGN_OR_RETURN(const State state, waitForChunk(patience));
            if (state == State::no_more) return absl::OkStatus();
            const absl::Status written = writeAll(fd, chunk_.data());
            HS_RETURN_IF_ERROR(written);
            readNext();
        }
    }

    // A call ends only after a read that says so.
    void drain() {
        for (;;) {
            {
                std::unique_lock lock(mutex_);
                changed_.wait(lock, [this] { return state_ != State::reading; });
                if (state_ == State::no_more) return;
            }
            readNext();
        }
    }

    absl::StatusOr<State> waitForChunk(std::chrono::milliseconds patience) {
        std::unique_lock lock(mutex_);
        if (!changed_.wait_for(lock, patience, [this] { return state_ != State::reading; })) {
            return deadlineExceeded("nothing arrived for " + std::to_string(patience.count()) + " ms");
        }
        return state_;
    }

    void readNext() {
        {
            const std::lock_guard lock(mutex_);
            state_ = State::reading;
        }
        StartRead(&chunk_);
    }

    absl::Status waitForEnd() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return done_; });
        return fromGrpc(end_);
    }

    v1::Chunk chunk_;
    std::mutex mutex_;
    std::condition_variable changed_;
    State state_ = State::reading;
    bool done_ = false;
    grpc::Status end_;
};

class GrpcFetcher final : public Fetcher {
public:
    GrpcFetcher(std::shared_ptr<leader::Controllers> controllers, std::shared_ptr<tls::Credentials> credentials,
                std::chrono::milliseconds patience)
        : credentials_(std::move(credentials)), controllers_(std::move(controllers)), patience_(patience) {}

    absl::Status fetchImage(const std::string& digest, int fd) override {
        v1::FetchImageRequest request;
        request.set_digest(digest);
        v1::NodeLink::Stub stub(controllers_->current().channel);
        const auto call = [&](grpc::ClientContext& context, ChunkReader& reader) {
            stub.async()->FetchImage(&context, &request, &reader);
        };
        return withContext(transfer(call, fd), "image " + digest + " from the controller");
    }

    absl::Status fetchDisk(const SliverId& id, const DiskSource& source, int fd) override {
        v1::ExportDiskRequest request;
        *request.mutable_sliver() = toMessage(id);
        request.set_generation(source.generation);
        // Nobody can connect to a node behind a NAT.
        std::unique_ptr<DialledWay> way;
        if (isBehindNat(source.node)) {
            HS_ASSIGN_OR_RETURN(way, DialledWay::open(controllers_, source.node));
        }
        const std::string target = way ? way->target() : targetOf(source.node, source.api_port);
        v1::NodeService::Stub stub(makeChannel(*credentials_, target, pki::kAnyNodeName, kFirstRetry));
        const auto call = [&](grpc::ClientContext& context, ChunkReader& reader) {
            stub.async()->ExportDisk(&context, &request, &reader);
        };
        return withContext(transfer(call, fd), "disk of " + id.toString() + " from " + addressText(source.node));
    }

    void stop() override {
        const std::lock_guard lock(mutex_);
        stopped_ = true;
        for (grpc::ClientContext* context : running_) context->TryCancel();
    }

private:
    template <typename Call>
    absl::Status transfer(const Call& call, int fd) {
        grpc::ClientContext context;
        ChunkReader reader;
        if (!enlist(context)) return aborted("noded is ending");
        const Defer leave([&] { discharge(context); });
        call(context, reader);
        reader.begin();
        const absl::Status status = reader.copyTo(fd, patience_, context);
        return isStopped() && !status.ok() ? aborted("noded is ending") : status;
    }

    bool enlist(grpc::ClientContext& context) {
        const std::lock_guard lock(mutex_);
        if (!stopped_) running_.insert(&context);
        return !stopped_;
    }

    void discharge(grpc::ClientContext& context) {
        const std::lock_guard lock(mutex_);
        running_.erase(&context);
    }

    bool isStopped() {
        const std::lock_guard lock(mutex_);
        return stopped_;
    }

    const std::shared_ptr<tls::Credentials> credentials_;
    const std::shared_ptr<leader::Controllers> controllers_;
    const std::chrono::milliseconds patience_;
    std::mutex mutex_;
    bool stopped_ = false;
    std::set<grpc::ClientContext*> running_;
};

}  // namespace

std::unique_ptr<Fetcher> Fetcher::create(std::shared_ptr<leader::Controllers> controllers,
                                         std::shared_ptr<tls::Credentials> credentials,
                                         std::chrono::milliseconds patience) {
    return std::make_unique<GrpcFetcher>(std::move(controllers), std::move(credentials), patience);
}

}  // namespace homeslice::api
