#include "noded/api/flow_sharing_call.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "noded/api/binding_convert.h"
#include "noded/api/grpc_status.h"

namespace homeslice::api {
namespace {

constexpr size_t kMostWaiting = 64;  // batches of news; what is remembered from before is as long as it is

class FlowsCall final : public grpc::ServerWriteReactor<v1::FlowBatch>, public std::enable_shared_from_this<FlowsCall> {
public:
    explicit FlowsCall(mobility::FlowNews& news) : news_(news) {}

    // News first: none is missed between the two.
    void begin(mobility::Forwarder& forwarder, Workers& workers) {
        self_ = shared_from_this();
        watch_id_ = news_.watch([this](const auto& flows) { enqueue(flows, false); });
        const bool runs = workers.tryRun([self = self_, &forwarder] { self->enqueue(forwarder.flows(), true); });
        if (!runs) end(toGrpc(resourceExhausted("too many calls at once on this node")));
    }

    void OnWriteDone(bool ok) override {
        const std::lock_guard lock(mutex_);
        writing_ = false;
        if (!ok) return endLocked(grpc::Status::CANCELLED);
        writeNext();
    }
    void OnCancel() override { end(grpc::Status::CANCELLED); }
    void OnDone() override {
        news_.unwatch(watch_id_);
        self_.reset();
    }

private:
    void enqueue(const std::vector<mobility::ChosenFlow>& flows, bool earlier) {
        const std::lock_guard lock(mutex_);
        for (std::span rest(flows); !rest.empty() && !finished_;) {
            if (!earlier && waiting_.size() >= kMostWaiting) return;
            const auto part = rest.first(std::min(rest.size(), size_t{kMostFlows}));
            v1::FlowBatch& batch = waiting_.emplace_back();
            batch.set_earlier(earlier);
            for (const mobility::ChosenFlow& flow : part) *batch.add_flows() = toMessage(flow);
            rest = rest.subspan(part.size());
        }
        writeNext();
    }
    // With the lock held, as the next.
    void writeNext() {
        if (writing_ || finished_ || waiting_.empty()) return;
        outgoing_ = std::move(waiting_.front());
        waiting_.pop_front();
        writing_ = true;
        StartWrite(&outgoing_);
    }
    void endLocked(const grpc::Status& status) {
        if (!std::exchange(finished_, true)) Finish(status);
    }
    void end(const grpc::Status& status) {
        const std::lock_guard lock(mutex_);
        endLocked(status);
    }

    mobility::FlowNews& news_;
    std::shared_ptr<FlowsCall> self_;  // until gRPC is done
    uint64_t watch_id_ = 0;

    std::mutex mutex_;
    std::deque<v1::FlowBatch> waiting_;
    v1::FlowBatch outgoing_;
    bool writing_ = false;
    bool finished_ = false;
};

}  // namespace

grpc::ServerWriteReactor<v1::FlowBatch>* tellFlows(mobility::Forwarder& forwarder, mobility::FlowNews& news,
                                                   Workers& workers) {
    const auto call = std::make_shared<FlowsCall>(news);
    call->begin(forwarder, workers);
    return call.get();
}

}  // namespace homeslice::api
