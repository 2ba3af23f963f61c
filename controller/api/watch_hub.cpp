#include "controller/api/watch_hub.h"

#include <utility>

#include "base/reason.h"
#include "base/status.h"
#include "controller/api/convert.h"
#include "controller/api/refused.h"
#include "controller/api/watch_convert.h"

namespace homeslice::controller {
namespace {

constexpr size_t kMostOfOneUser = 64;
// Changes that a watcher may not see are not told, but how far it has come is, now and then: it can resume from there.
constexpr uint64_t kRevisionsUntold = 1000;

}  // namespace

class WatchStream : public grpc::ServerWriteReactor<v1::WatchResponse>,
                    public std::enable_shared_from_this<WatchStream> {
public:
    WatchStream(WatchHub& hub, WatchCursor cursor) : hub_(hub), cursor_(std::move(cursor)) {}

    void begin() {
        self_ = shared_from_this();
        hub_.isReady(self_);
    }

    // On the hub's thread; false when there is nothing to tell.
    bool tell(const Controller& controller) {
        absl::StatusOr<WatchBatch> batch = controller.continueWatch(cursor_);
        while (batch.ok() && batch->more && !isWorthTelling(*batch)) batch = controller.continueWatch(cursor_);
        if (!batch.ok()) {
            end(toGrpc(batch.status()));
            return true;
        }
        if (!isWorthTelling(*batch)) return false;
        outgoing_.Clear();
        toProto(*batch, outgoing_);
        told_ = batch->revision;
        begun_ = true;
        const std::lock_guard lock(mutex_);
        if (!finished_) StartWrite(&outgoing_);
        return true;
    }
    void end(const grpc::Status& status) {
        const std::lock_guard lock(mutex_);
        if (!std::exchange(finished_, true)) Finish(status);
    }

    void OnWriteDone(bool ok) override {
        if (!ok) return end(grpc::Status::CANCELLED);
        hub_.isReady(shared_from_this());
    }
    void OnCancel() override { end(grpc::Status::CANCELLED); }
    void OnDone() override {
        hub_.closed(*this);
        self_.reset();
    }

    const std::string& user() const { return cursor_.request().caller.name; }

private:
    // The first one also when it has no events: the watch is on.
    bool isWorthTelling(const WatchBatch& batch) const {
        return !batch.events.empty() || batch.whole || !begun_ || batch.revision >= told_ + kRevisionsUntold;
    }

    WatchHub& hub_;
    std::shared_ptr<WatchStream> self_;  // until gRPC is done
    // The hub's thread's, but that one write is under way at most.
    WatchCursor cursor_;
    v1::WatchResponse outgoing_;
    uint64_t told_ = 0;
    bool begun_ = false;

    std::mutex mutex_;
    bool finished_ = false;
};

WatchHub::WatchHub(Controller& controller) : controller_(controller) {
    controller_.onChange([this] {
        const std::lock_guard lock(mutex_);
        changed_ = true;
        stirred_.notify_one();
    });
    thread_ = std::thread([this] { run(); });
}

WatchHub::~WatchHub() {
    controller_.onChange(nullptr);
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        stirred_.notify_one();
    }
    thread_.join();
}

grpc::ServerWriteReactor<v1::WatchResponse>* WatchHub::open(const Caller& caller, const v1::WatchRequest& request) {
    const auto refuse = [](const absl::Status& why) {
        return new Refused<grpc::ServerWriteReactor<v1::WatchResponse>>(why);
    };
    const auto asked = fromWatch(caller, request);
    if (!asked.ok()) return refuse(asked.status());
    auto cursor = controller_.beginWatch(*asked);
    if (!cursor.ok()) return refuse(cursor.status());
    if (const absl::Status admitted = admit(caller.name); !admitted.ok()) return refuse(admitted);
    const auto stream = std::make_shared<WatchStream>(*this, *std::move(cursor));
    {
        const std::lock_guard lock(mutex_);
        streams_.emplace(stream.get(), stream);
    }
    stream->begin();
    return stream.get();
}

absl::Status WatchHub::admit(const std::string& user) {
    const std::lock_guard lock(mutex_);
    size_t& count = counts_[user];
    if (count >= kMostOfOneUser) {
        const std::string open = std::to_string(count);
        return because(resourceExhausted("user '" + user + "' has " + open + " watches open: close one first"),
                       reason::kTooManyWatches);
    }
    ++count;
    return absl::OkStatus();
}

void WatchHub::closed(const WatchStream& stream) {
    const std::lock_guard lock(mutex_);
    streams_.erase(&stream);
    const auto found = counts_.find(stream.user());
    if (--found->second == 0) counts_.erase(found);
}

void WatchHub::closeAll(const absl::Status& why) {
    std::vector<std::shared_ptr<WatchStream>> streams;
    {
        const std::lock_guard lock(mutex_);
        for (const auto& [key, stream] : streams_) streams.push_back(stream.lock());
    }
    for (const auto& stream : streams) {
        if (stream != nullptr) stream->end(toGrpc(why));
    }
}

void WatchHub::isReady(const std::shared_ptr<WatchStream>& stream) {
    const std::lock_guard lock(mutex_);
    ready_.push_back(stream);
    stirred_.notify_one();
}

void WatchHub::run() {
    for (;;) {
        const auto streams = nextStreams();
        if (streams.empty()) return;
        for (const auto& weak : streams) {
            const auto stream = weak.lock();
            if (stream == nullptr || stream->tell(controller_)) continue;
            // What has changed since it was looked at has set changed_.
            const std::lock_guard lock(mutex_);
            idle_.push_back(stream);
        }
    }
}

std::vector<std::weak_ptr<WatchStream>> WatchHub::nextStreams() {
    std::unique_lock lock(mutex_);
    for (;;) {
        stirred_.wait(lock, [this] { return stopping_ || changed_ || !ready_.empty(); });
        if (stopping_) return {};
        std::vector<std::weak_ptr<WatchStream>> streams = std::exchange(ready_, {});
        if (std::exchange(changed_, false)) {
            streams.insert(streams.end(), idle_.begin(), idle_.end());
            idle_.clear();
        }
        if (!streams.empty()) return streams;
    }
}

}  // namespace homeslice::controller
