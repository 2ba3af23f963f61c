#include "noded/api/binding_service.h"

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "base/log.h"
#include "base/nat.h"
#include "base/status.h"
#include "noded/api/binding_convert.h"
#include "noded/api/channel.h"
#include "noded/api/convert.h"
#include "noded/api/flow_sharing_call.h"
#include "noded/api/grpc_status.h"
#include "pki/tls/credentials.h"

namespace homeslice::api {
namespace {

// One gateway's updates: read, apply, acknowledge, read the next. Each step starts the next one, so nothing runs at
// once.
class UpdateCall final : public grpc::ServerBidiReactor<v1::BindingUpdate, v1::BindingAcknowledgement> {
public:
    UpdateCall(mobility::HomeAgent& home_agent, const GrantCheck& grants, const grpc::CallbackServerContext& context)
        : home_agent_(home_agent),
          grants_(grants),
          sender_(addressOfPeer(context.peer())),
          peer_(tls::peerOf(*context.auth_context())) {
        if (!sender_.ok() || !peer_.ok()) {
            Finish(toGrpc(sender_.ok() ? peer_.status() : sender_.status()));
            return;
        }
        // Tells the gateway that it has reached a home agent, before it sends anything.
        StartSendInitialMetadata();
        StartRead(&update_);
    }

    void OnReadDone(bool ok) override {
        if (!ok) {
            Finish(grpc::Status::OK);
            return;
        }
        const auto update = bindingUpdateOf(update_);
        if (!update.ok()) {
            Finish(toGrpc(withContext(update.status(), "binding update")));
            return;
        }
        if (const auto refusal = grants_.refusal(peer_->identity.name, *update)) {
            return acknowledge({.key = update->key, .sequence = update->sequence, .status = *refusal});
        }
        const Ipv6Address sender = senderOf(*update);
        if (home_agent_.postpones(sender, *update)) {
            StartRead(&update_);
            return;
        }
        acknowledge(home_agent_.update(sender, *update));
    }

    void OnWriteDone(bool ok) override {
        if (ok) {
            StartRead(&update_);
        } else {
            Finish(grpc::Status::CANCELLED);
        }
    }

    void OnDone() override { delete this; }

private:
    // A node behind a NAT is seen at another address than it has; what it is behind there its certificate says.
    Ipv6Address senderOf(const mobility::BindingUpdate& update) const {
        return isBehindNatOf(update.care_of_address, peer_->identity.name) ? update.care_of_address : *sender_;
    }

    void acknowledge(const mobility::BindingAcknowledgement& acknowledgement) {
        acknowledgement_ = toMessage(acknowledgement);
        StartWrite(&acknowledgement_);
    }

    mobility::HomeAgent& home_agent_;
    const GrantCheck& grants_;
    const absl::StatusOr<Ipv6Address> sender_;
    const absl::StatusOr<tls::Peer> peer_;
    v1::BindingUpdate update_;
    v1::BindingAcknowledgement acknowledgement_;
};

// One watcher. The home agent calls enqueue() under its lock; everything that could block or call back happens on the
// event loop.
class WatchCall final : public grpc::ServerWriteReactor<v1::BindingEvent>,
                        public std::enable_shared_from_this<WatchCall> {
public:
    struct Dependencies {
        grpc::CallbackServerContext& context;
        mobility::HomeAgent& home_agent;
        mobility::Forwarder& forwarder;
        IoLoop& loop;
        size_t max_behind;
    };

    static WatchCall* begin(const Dependencies& dependencies) {
        const std::shared_ptr<WatchCall> call(new WatchCall(dependencies));
        call->self_ = call;
        call->watch_id_ = dependencies.home_agent.watch(
            [watcher = call.get()](const mobility::BindingEvent& event) { watcher->enqueue(event); });
        return call.get();
    }

    void OnWriteDone(bool ok) override {
        loop_.post([self = shared_from_this(), ok] {
            self->writing_ = false;
            if (!ok || self->cancelled_) self->finish(grpc::Status::CANCELLED);
            self->pump();
        });
    }

    void OnCancel() override {
        loop_.post([self = shared_from_this()] {
            self->cancelled_ = true;
            if (!self->writing_)
                self->finish(grpc::Status::CANCELLED);  // else after the write, whether it fails or not
        });
    }

    void OnDone() override {
        home_agent_.unwatch(watch_id_);
        loop_.post([self = shared_from_this()] { self->self_.reset(); });
    }

private:
    explicit WatchCall(const Dependencies& dependencies)
        : context_(dependencies.context),
          home_agent_(dependencies.home_agent),
          forwarder_(dependencies.forwarder),
          loop_(dependencies.loop),
          max_behind_(dependencies.max_behind) {}

    void enqueue(const mobility::BindingEvent& event) {
        const std::lock_guard lock(mutex_);
        if (overrun_) return;
        queue_.push_back(event);
        if (event.kind == mobility::BindingEvent::Kind::snapshot_end) {
            // The snapshot does not count: it is as long as it is.
            limit_ = queue_.size() + max_behind_;
        } else if (limit_ != 0 && queue_.size() > limit_) {
            overrun_ = true;
            queue_.clear();
        }
        if (std::exchange(pump_posted_, true)) return;
        loop_.post([self = shared_from_this()] { self->pump(); });
    }

    void pump() {
        const std::optional<mobility::BindingEvent> next = takeNext();
        if (next) send(*next);
    }

    std::optional<mobility::BindingEvent> takeNext() {
        const std::lock_guard lock(mutex_);
        pump_posted_ = false;
        if (overrun_) endTooSlow();
        if (writing_ || finished_ || queue_.empty()) return std::nullopt;
        std::optional<mobility::BindingEvent> event = queue_.front();
        queue_.pop_front();
        return event;
    }

    void endTooSlow() {
        // A status would wait behind the event that the watcher does not take.
        if (writing_) {
            context_.TryCancel();
        } else {
            finish(toGrpc(resourceExhausted("watcher is too slow; watch again for a whole snapshot")));
        }
    }

    void send(const mobility::BindingEvent& event) {
        event_ = toMessage(event, factsOf(event), Monotonic::now());
        writing_ = true;
        StartWrite(&event_);
    }

    BindingFacts factsOf(const mobility::BindingEvent& event) const {
        if (event.kind != mobility::BindingEvent::Kind::bound) return {};
        return {.counters = forwarder_.countersOf(event.binding.key).value_or(mobility::BindingCounters{}),
                .round_trip = forwarder_.roundTripTo(event.binding.care_of_address)};
    }

    void finish(const grpc::Status& status) {
        if (finished_) return;
        finished_ = true;
        Finish(status);
    }

    grpc::CallbackServerContext& context_;
    mobility::HomeAgent& home_agent_;
    mobility::Forwarder& forwarder_;
    IoLoop& loop_;
    const size_t max_behind_;
    std::shared_ptr<WatchCall> self_;
    uint64_t watch_id_ = 0;

    std::mutex mutex_;  // between the home agent's callers and the loop
    std::deque<mobility::BindingEvent> queue_;
    size_t limit_ = 0;  // of queue_; 0 while the snapshot is being taken
    bool overrun_ = false;
    bool pump_posted_ = false;

    // The loop's own.
    v1::BindingEvent event_;
    bool writing_ = false;
    bool cancelled_ = false;
    bool finished_ = false;
};

absl::Status setKeepaliveKey(mobility::KeepaliveServer* keepalives, const grpc::CallbackServerContext& context,
                             const v1::KeepaliveKey& request) {
    if (keepalives == nullptr) return failedPrecondition("no NAT is traversed to this home agent: it has no IPv4");
    HS_ASSIGN_OR_RETURN(const tls::Peer peer, tls::peerOf(*context.auth_context()));
    HS_ASSIGN_OR_RETURN(const Ipv6Address care_of, unicastOf("care-of address", request.care_of_address()));
    return keepalives->setKey(peer.identity.name, care_of, request.key());
}

}  // namespace

grpc::ServerUnaryReactor* BindingService::SetKeepaliveKey(grpc::CallbackServerContext* context,
                                                          const v1::KeepaliveKey* request,
                                                          v1::KeepaliveKeySet* /*response*/) {
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    reactor->Finish(toGrpc(setKeepaliveKey(parts_.keepalives, *context, *request)));
    return reactor;
}

grpc::ServerBidiReactor<v1::BindingUpdate, v1::BindingAcknowledgement>* BindingService::Update(
    grpc::CallbackServerContext* context) {
    return new UpdateCall(parts_.home_agent, parts_.grants, *context);
}

grpc::ServerWriteReactor<v1::BindingEvent>* BindingService::Watch(grpc::CallbackServerContext* context,
                                                                  const v1::WatchBindingsRequest* /*request*/) {
    return WatchCall::begin({.context = *context,
                             .home_agent = parts_.home_agent,
                             .forwarder = parts_.forwarder,
                             .loop = parts_.loop,
                             .max_behind = max_behind_});
}

grpc::ServerWriteReactor<v1::FlowBatch>* BindingService::WatchFlows(grpc::CallbackServerContext* /*context*/,
                                                                    const v1::WatchFlowsRequest* /*request*/) {
    return tellFlows(parts_.forwarder, parts_.home_agent.flowNews(), parts_.workers);
}

}  // namespace homeslice::api
