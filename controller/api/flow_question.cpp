#include "controller/api/flow_question.h"

#include <chrono>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "homeslice/v1/flows.grpc.pb.h"

namespace homeslice::controller {
namespace {

// A node may have to look through much.
constexpr std::chrono::seconds kAnswerTimeout{10};

class FlowQuestion : public grpc::ServerUnaryReactor {
public:
    FlowQuestion(Controller& controller, NodeClients& clients, const v1::FindFlowsRequest& request,
                 v1::FlowReport& response)
        : request_(request), response_(response) {
        for (const NodeView& view : controller.nodes()) {
            if (!view.node.home_agent && !view.node.correspondent) addNode(controller, view);
        }
        ask(clients);
    }
    void OnCancel() override {
        for (const auto& asked : asked_) asked->context.TryCancel();
    }
    void OnDone() override { delete this; }

private:
    struct Asked {
        explicit Asked(NodeEndpoint endpoint) : node(std::move(endpoint)) {}
        const NodeEndpoint node;
        grpc::ClientContext context;
        std::unique_ptr<v1::FlowService::Stub> stub;
        v1::FindFlowsResponse answer;
    };

    void addNode(const Controller& controller, const NodeView& view) {
        auto endpoint = controller.endpointOfNode(view.node.name);
        if (!endpoint.ok()) {
            response_.add_not_asked(view.node.name + ": " + (view.not_ready.empty() ? "away" : view.not_ready));
            return;
        }
        asked_.push_back(std::make_unique<Asked>(*std::move(endpoint)));
    }

    void ask(NodeClients& clients) {
        unanswered_ = asked_.size();
        if (asked_.empty()) return Finish(grpc::Status::OK);
        // By number: the last answer may end this object before the loop looks at it again.
        for (size_t i = 0, count = asked_.size(); i < count; ++i) {
            Asked& asked = *asked_[i];
            asked.context.set_deadline(std::chrono::system_clock::now() + kAnswerTimeout);
            asked.stub = v1::FlowService::NewStub(clients.channel(asked.node));
            asked.stub->async()->FindFlows(&asked.context, &request_, &asked.answer,
                                           [this, &asked](const grpc::Status& status) { answered(asked, status); });
        }
    }

    void answered(Asked& asked, const grpc::Status& status) {
        if (!lastOne(asked, status)) return;
        // Nothing may touch this object after Finish, which may lead to its end on another thread.
        Finish(refused_.ok() ? grpc::Status::OK : refused_);
    }

    bool lastOne(Asked& asked, const grpc::Status& status) {
        const std::lock_guard lock(mutex_);
        if (status.error_code() == grpc::StatusCode::INVALID_ARGUMENT) {
            refused_ = status;  // as all will
        } else if (!status.ok()) {
            response_.add_not_asked(asked.node.name + ": " + status.error_message());
        } else if (asked.answer.flows_size() > 0) {
            v1::NodeFlows& added = *response_.add_nodes();
            added.set_node(asked.node.name);
            added.set_truncated(asked.answer.truncated());
            added.mutable_flows()->Swap(asked.answer.mutable_flows());
        }
        return --unanswered_ == 0;
    }

    const v1::FindFlowsRequest request_;
    v1::FlowReport& response_;
    std::vector<std::unique_ptr<Asked>> asked_;

    std::mutex mutex_;
    size_t unanswered_ = 0;
    grpc::Status refused_;
};

}  // namespace

grpc::ServerUnaryReactor* findFlows(Controller& controller, NodeClients& clients, const v1::FindFlowsRequest& request,
                                    v1::FlowReport& response) {
    return new FlowQuestion(controller, clients, request, response);
}

}  // namespace homeslice::controller
