#include "controller/api/node_questions.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "controller/api/convert.h"
#include "controller/api/home_binding.h"
#include "homeslice/v1/binding.grpc.pb.h"
#include "homeslice/v1/node.grpc.pb.h"

namespace homeslice::controller {
namespace {

// A node that answers its heartbeats but not this is stuck.
constexpr std::chrono::seconds kAnswerTimeout{5};

class InspectRelay : public grpc::ServerUnaryReactor {
public:
    InspectRelay(Controller& controller, NodeClients& clients, const std::string& name, v1::InspectResponse& response) {
        callNode(controller, clients, name, response);
    }
    void OnCancel() override { context_.TryCancel(); }
    void OnDone() override { delete this; }

private:
    void callNode(Controller& controller, NodeClients& clients, const std::string& name,
                  v1::InspectResponse& response) {
        auto node = controller.endpointOfNode(name);
        if (!node.ok()) return Finish(toGrpc(node.status()));
        node_ = *std::move(node);
        context_.set_deadline(std::chrono::system_clock::now() + kAnswerTimeout);
        stub_ = v1::NodeService::NewStub(clients.channel(node_));
        stub_->async()->Inspect(&context_, &request_, &response,
                                [this](const grpc::Status& status) { Finish(fromNode(node_, status)); });
    }

    NodeEndpoint node_;
    grpc::ClientContext context_;
    std::unique_ptr<v1::NodeService::Stub> stub_;
    const v1::InspectRequest request_;
};

// In the order of addresses; a binding is known by these together.
std::string keyOf(const v1::HomeBinding& binding) {
    return binding.home_address() + fmt::format("{:08x}", binding.binding_id()) + binding.care_of_address() +
           binding.home_agent();
}

class BindingsQuestion;

// One home agent's cache, read up to the end of its snapshot.
class AgentReader : public grpc::ClientReadReactor<v1::BindingEvent> {
public:
    AgentReader(BindingsQuestion& question, NodeEndpoint agent) : question_(question), agent_(std::move(agent)) {}

    void start(NodeClients& clients) {
        context_.set_deadline(std::chrono::system_clock::now() + kAnswerTimeout);
        stub_ = v1::BindingService::NewStub(clients.channel(agent_));
        stub_->async()->Watch(&context_, &request_, this);
        StartRead(&event_);
        StartCall();
    }
    void cancel() { context_.TryCancel(); }
    void OnReadDone(bool ok) override {
        if (!ok) return;
        if (event_.has_bound()) bindings_.push_back(event_.bound());
        if (event_.has_role()) in_charge_ = event_.role().in_charge();
        if (event_.message_case() == v1::BindingEvent::kSnapshotEnd) {
            complete_ = true;
            return context_.TryCancel();
        }
        StartRead(&event_);
    }
    void OnDone(const grpc::Status& status) override;

    const NodeEndpoint& agent() const { return agent_; }
    const std::vector<v1::Binding>& bindings() const { return bindings_; }
    bool inCharge() const { return in_charge_; }

private:
    BindingsQuestion& question_;
    const NodeEndpoint agent_;
    grpc::ClientContext context_;
    std::unique_ptr<v1::BindingService::Stub> stub_;
    const v1::WatchBindingsRequest request_;
    v1::BindingEvent event_;
    std::vector<v1::Binding> bindings_;
    bool in_charge_ = false;
    bool complete_ = false;
};

// Asks all home agents at once; the last to answer finishes the call.
class BindingsQuestion : public grpc::ServerUnaryReactor {
public:
    BindingsQuestion(Controller& controller, NodeClients& clients, Pager pager, v1::ListBindingsResponse& response)
        : controller_(controller), pager_(std::move(pager)), response_(response) {
        ask(clients);
    }
    void OnCancel() override {
        for (const auto& reader : readers_) reader->cancel();
    }
    void OnDone() override { delete this; }

    void answered(const AgentReader& reader, const grpc::Status& status) {
        if (!lastOne(reader, status)) return;
        // Nothing may touch this object after Finish, which may lead to its end on another thread.
        if (answers_ == 0) return Finish(failure_);
        std::sort(bindings_.begin(), bindings_.end(), [](const auto& a, const auto& b) { return keyOf(a) < keyOf(b); });
        const auto add = [this](const v1::HomeBinding& binding) -> const v1::HomeBinding& {
            return *response_.add_bindings() = binding;
        };
        pager_.fillSorted(bindings_, keyOf, add, response_);
        Finish(grpc::Status::OK);
    }

private:
    void ask(NodeClients& clients) {
        auto agents = controller_.homeAgents();
        if (!agents.ok()) return Finish(toGrpc(agents.status()));
        if (agents->empty()) return Finish(grpc::Status::OK);
        for (NodeEndpoint& agent : *agents) {
            readers_.push_back(std::make_unique<AgentReader>(*this, std::move(agent)));
        }
        unanswered_ = readers_.size();
        // By number: the last answer may end this object before the loop looks at it again.
        for (size_t i = 0, count = readers_.size(); i < count; ++i) readers_[i]->start(clients);
    }

    bool lastOne(const AgentReader& reader, const grpc::Status& status) {
        const std::lock_guard lock(mutex_);
        if (!status.ok()) failure_ = fromNode(reader.agent(), status);
        answers_ += status.ok() ? 1 : 0;
        for (const v1::Binding& binding : reader.bindings()) add(binding, reader);
        return --unanswered_ == 0;
    }

    void add(const v1::Binding& binding, const AgentReader& reader) {
        v1::HomeBinding added;
        if (toHomeBinding(controller_, reader.agent(), reader.inCharge(), binding, added))
            bindings_.push_back(std::move(added));
    }

    Controller& controller_;
    const Pager pager_;
    v1::ListBindingsResponse& response_;
    std::vector<std::unique_ptr<AgentReader>> readers_;

    std::mutex mutex_;
    size_t unanswered_ = 0;
    size_t answers_ = 0;
    std::vector<v1::HomeBinding> bindings_;
    grpc::Status failure_;
};

void AgentReader::OnDone(const grpc::Status& status) {
    // We cancel the watch ourselves once the snapshot is whole.
    question_.answered(*this, complete_ ? grpc::Status::OK : status);
}

}  // namespace

grpc::ServerUnaryReactor* listBindings(Controller& controller, NodeClients& clients, const Pager& pager,
                                       v1::ListBindingsResponse& response) {
    return new BindingsQuestion(controller, clients, pager, response);
}

grpc::ServerUnaryReactor* inspectNode(Controller& controller, NodeClients& clients, const std::string& name,
                                      v1::InspectResponse& response) {
    return new InspectRelay(controller, clients, name, response);
}

}  // namespace homeslice::controller
