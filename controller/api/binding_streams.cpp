#include "controller/api/binding_streams.h"

#include <deque>
#include <set>
#include <string>
#include <utility>

#include "controller/api/home_binding.h"
#include "homeslice/v1/binding.grpc.pb.h"

namespace homeslice::controller {
namespace {

constexpr size_t kMaxBehind = 16384;  // changes; as the home agents have it

std::set<std::string> namesOf(const std::vector<NodeEndpoint>& agents) {
    std::set<std::string> names;
    for (const NodeEndpoint& agent : agents) names.insert(agent.name);
    return names;
}

class AgentWatch;

}  // namespace

// One client's. The home agents' words come from gRPC's threads, each agent's in order.
class BindingStream : public grpc::ServerWriteReactor<v1::HomeBindingEvent>,
                      public std::enable_shared_from_this<BindingStream> {
public:
    BindingStream(const Controller& controller, std::vector<NodeEndpoint> agents)
        : controller_(controller), agents_(std::move(agents)), names_(namesOf(agents_)) {}

    void begin(NodeClients& clients);
    void heard(const NodeEndpoint& agent, bool in_charge, const v1::BindingEvent& event);
    void left(const NodeEndpoint& agent);
    void endUnless(const std::set<std::string>& ready) {
        if (ready != names_) end({grpc::StatusCode::ABORTED, "other home agents are ready now: watch again"});
    }

    void OnWriteDone(bool ok) override {
        const std::lock_guard lock(mutex_);
        writing_ = false;
        if (!ok) return endLocked(grpc::Status::CANCELLED);
        writeNext();
    }
    void OnCancel() override { end(grpc::Status::CANCELLED); }
    void OnDone() override;

private:
    void enqueue(v1::HomeBindingEvent event) {
        const std::lock_guard lock(mutex_);
        if (limit_ != 0 && waiting_.size() > limit_)
            return endLocked({grpc::StatusCode::ABORTED, "the client is too slow: watch again"});
        waiting_.push_back(std::move(event));
        writeNext();
    }
    void snapshotEnds();
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

    const Controller& controller_;
    const std::vector<NodeEndpoint> agents_;
    const std::set<std::string> names_;
    std::shared_ptr<BindingStream> self_;  // until gRPC is done
    std::vector<std::shared_ptr<AgentWatch>> watches_;

    std::mutex mutex_;
    std::deque<v1::HomeBindingEvent> waiting_;
    size_t limit_ = 0;      // of what waits; 0 during the snapshot, which is as long as it is
    size_t snapshots_ = 0;  // that are whole
    v1::HomeBindingEvent outgoing_;
    bool writing_ = false;
    bool finished_ = false;
};

namespace {

// The watch of one home agent's cache. Lives until gRPC is done with it, and keeps the stream as long.
class AgentWatch : public grpc::ClientReadReactor<v1::BindingEvent> {
public:
    AgentWatch(std::shared_ptr<BindingStream> stream, const NodeEndpoint& agent, NodeClients& clients)
        : stream_(std::move(stream)), agent_(agent), stub_(v1::BindingService::NewStub(clients.channel(agent))) {}

    void start(std::shared_ptr<AgentWatch> self) {
        self_ = std::move(self);
        stub_->async()->Watch(&context_, &request_, this);
        StartRead(&event_);
        StartCall();
    }
    void cancel() { context_.TryCancel(); }
    void OnReadDone(bool ok) override {
        if (!ok) return;
        if (event_.has_role()) in_charge_ = event_.role().in_charge();
        stream_->heard(agent_, in_charge_, event_);
        StartRead(&event_);
    }
    void OnDone(const grpc::Status& /*status*/) override {
        stream_->left(agent_);
        stream_.reset();
        self_.reset();
    }

private:
    std::shared_ptr<BindingStream> stream_;
    const NodeEndpoint agent_;
    std::shared_ptr<AgentWatch> self_;
    std::unique_ptr<v1::BindingService::Stub> stub_;
    grpc::ClientContext context_;
    const v1::WatchBindingsRequest request_;
    v1::BindingEvent event_;
    bool in_charge_ = false;
};

}  // namespace

void BindingStream::begin(NodeClients& clients) {
    self_ = shared_from_this();
    for (const NodeEndpoint& agent : agents_)
        watches_.push_back(std::make_shared<AgentWatch>(shared_from_this(), agent, clients));
    // By number and from a copy: the stream may end meanwhile.
    const auto watches = watches_;
    for (const auto& watch : watches) watch->start(watch);
    if (agents_.empty()) snapshotEnds();
}

void BindingStream::heard(const NodeEndpoint& agent, bool in_charge, const v1::BindingEvent& event) {
    v1::HomeBindingEvent told;
    switch (event.message_case()) {
        case v1::BindingEvent::kBound:
            if (toHomeBinding(controller_, agent, in_charge, event.bound(), *told.mutable_bound())) enqueue(told);
            return;
        case v1::BindingEvent::kUnbound:
            told.mutable_unbound()->set_home_agent(agent.name);
            told.mutable_unbound()->set_home_address(event.unbound().home_address());
            told.mutable_unbound()->set_binding_id(event.unbound().binding_id());
            return enqueue(told);
        case v1::BindingEvent::kRole:
            told.mutable_role()->set_home_agent(agent.name);
            told.mutable_role()->set_in_charge(in_charge);
            return enqueue(told);
        case v1::BindingEvent::kSnapshotEnd:
            return snapshotEnds();
        default:
            return;
    }
}

void BindingStream::snapshotEnds() {
    {
        const std::lock_guard lock(mutex_);
        if (++snapshots_ < agents_.size()) return;
        limit_ = waiting_.size() + kMaxBehind;
    }
    v1::HomeBindingEvent whole;
    whole.set_snapshot_end(true);
    enqueue(whole);
}

void BindingStream::left(const NodeEndpoint& agent) {
    end({grpc::StatusCode::ABORTED, "home agent '" + agent.name + "' tells no more: watch again"});
}

void BindingStream::OnDone() {
    for (const auto& watch : watches_) watch->cancel();
    watches_.clear();
    self_.reset();
}

grpc::ServerWriteReactor<v1::HomeBindingEvent>* BindingStreams::begin() {
    // Without one that is ready there is nothing to see, until tick().
    const auto stream =
        std::make_shared<BindingStream>(controller_, controller_.homeAgents().value_or(std::vector<NodeEndpoint>()));
    {
        const std::lock_guard lock(mutex_);
        open_.push_back(stream);
    }
    stream->begin(clients_);
    return stream.get();
}

void BindingStreams::tick() {
    std::vector<std::shared_ptr<BindingStream>> open;
    {
        const std::lock_guard lock(mutex_);
        std::erase_if(open_, [](const auto& stream) { return stream.expired(); });
        for (const auto& stream : open_)
            if (auto held = stream.lock()) open.push_back(std::move(held));
    }
    if (open.empty()) return;
    const auto agents = controller_.homeAgents();
    const std::set<std::string> ready = agents.ok() ? namesOf(*agents) : std::set<std::string>();
    for (const auto& stream : open) stream->endUnless(ready);
}

}  // namespace homeslice::controller
