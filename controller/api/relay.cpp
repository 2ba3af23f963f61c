#include "controller/api/relay.h"

#include <mutex>
#include <utility>

#include "base/status.h"
#include "controller/api/convert.h"
#include "homeslice/v1/node.grpc.pb.h"

namespace homeslice::controller {
namespace {

// Two reactors that talk to each other: this one faces the client, `node_side_` the node.
//
// Ends: the client's side is finished by the node side's OnDone, or by this side if the node was never called. gRPC
// calls OnDone here after every other callback, also those of the node side; so this is the one place to delete. Holds
// on the node side keep its OnDone away while the other side may still start something on it: one for requests (until
// half-close or the end of responses), one for responses (until they end).
class ExecRelay : public grpc::ServerBidiReactor<v1::ExecRequest, v1::ExecResponse> {
public:
    ExecRelay(const Gate& gate, Caller caller, NodeClients& clients)
        : gate_(gate), caller_(std::move(caller)), clients_(clients), node_side_(*this) {
        StartRead(&request_);
    }

    void OnReadDone(bool ok) override {
        if (!node_called_) return callNode(ok);
        const std::lock_guard lock(mutex_);
        if (requests_over_) return;
        if (ok) {
            node_side_.StartWrite(&request_);
        } else {
            node_side_.StartWritesDone();
            endRequests();
        }
    }
    void OnWriteDone(bool ok) override {
        if (ok) return node_side_.StartRead(&response_);
        node_context_.TryCancel();
        node_side_.RemoveHold();
    }
    void OnCancel() override { node_context_.TryCancel(); }
    void OnDone() override { delete this; }

private:
    class NodeSide : public grpc::ClientBidiReactor<v1::ExecRequest, v1::ExecResponse> {
    public:
        explicit NodeSide(ExecRelay& relay) : relay_(relay) {}
        void OnWriteDone(bool ok) override { relay_.requestWritten(ok); }
        void OnReadDone(bool ok) override { relay_.responseRead(ok); }
        void OnDone(const grpc::Status& status) override { relay_.Finish(fromNode(relay_.node_, status)); }

    private:
        ExecRelay& relay_;
    };

    void callNode(bool ok) {
        if (!ok || !request_.has_start()) return Finish(toGrpc(invalidArgument("the first request is `start`")));
        const SliverId sliver = fromSliverId(request_.start().sliver());
        const absl::Status allowed = gate_.check(caller_, "Exec", sliver.toString());
        if (!allowed.ok()) return Finish(toGrpc(allowed));
        auto node = gate_.controller().endpointOfSliver(sliver);
        if (!node.ok()) return Finish(toGrpc(node.status()));
        gate_.controller().recordAudit({0, caller_.name, "Exec", sliver.toString(), "ok"});
        node_ = *std::move(node);
        node_called_ = true;
        stub_ = v1::NodeService::NewStub(clients_.channel(node_));
        stub_->async()->Exec(&node_context_, &node_side_);
        node_side_.AddMultipleHolds(2);
        node_side_.StartWrite(&request_);
        node_side_.StartRead(&response_);
        node_side_.StartCall();
    }

    void requestWritten(bool ok) {
        if (ok) return StartRead(&request_);
        const std::lock_guard lock(mutex_);
        endRequests();
    }
    void responseRead(bool ok) {
        if (ok) return StartWrite(&response_);
        {
            const std::lock_guard lock(mutex_);
            endRequests();
        }
        node_side_.RemoveHold();
    }
    // With the lock held.
    void endRequests() {
        if (!std::exchange(requests_over_, true)) node_side_.RemoveHold();
    }

    const Gate& gate_;
    const Caller caller_;
    NodeClients& clients_;
    NodeEndpoint node_;
    std::unique_ptr<v1::NodeService::Stub> stub_;
    grpc::ClientContext node_context_;
    NodeSide node_side_;
    bool node_called_ = false;  // the read side's
    v1::ExecRequest request_;
    v1::ExecResponse response_;

    std::mutex mutex_;
    bool requests_over_ = false;
};

// As above, with one request and so one direction.
class LogsRelay : public grpc::ServerWriteReactor<v1::Chunk> {
public:
    LogsRelay(Controller& controller, NodeClients& clients, const v1::LogsRequest& request)
        : request_(request), node_side_(*this) {
        callNode(controller, clients);
    }

    void OnWriteDone(bool ok) override {
        if (ok) return node_side_.StartRead(&chunk_);
        node_context_.TryCancel();
        node_side_.RemoveHold();
    }
    void OnCancel() override { node_context_.TryCancel(); }
    void OnDone() override { delete this; }

private:
    class NodeSide : public grpc::ClientReadReactor<v1::Chunk> {
    public:
        explicit NodeSide(LogsRelay& relay) : relay_(relay) {}
        void OnReadDone(bool ok) override {
            if (ok) return relay_.StartWrite(&relay_.chunk_);
            RemoveHold();
        }
        void OnDone(const grpc::Status& status) override { relay_.Finish(fromNode(relay_.node_, status)); }

    private:
        LogsRelay& relay_;
    };

    void callNode(Controller& controller, NodeClients& clients) {
        auto node = controller.endpointOfSliver(fromSliverId(request_.sliver()));
        if (!node.ok()) return Finish(toGrpc(node.status()));
        node_ = *std::move(node);
        stub_ = v1::NodeService::NewStub(clients.channel(node_));
        stub_->async()->Logs(&node_context_, &request_, &node_side_);
        node_side_.AddHold();
        node_side_.StartRead(&chunk_);
        node_side_.StartCall();
    }

    const v1::LogsRequest request_;
    NodeEndpoint node_;
    std::unique_ptr<v1::NodeService::Stub> stub_;
    grpc::ClientContext node_context_;
    NodeSide node_side_;
    v1::Chunk chunk_;
};

}  // namespace

grpc::ServerBidiReactor<v1::ExecRequest, v1::ExecResponse>* relayExec(const Gate& gate, const Caller& caller,
                                                                      NodeClients& clients) {
    return new ExecRelay(gate, caller, clients);
}

grpc::ServerWriteReactor<v1::Chunk>* relayLogs(Controller& controller, NodeClients& clients,
                                               const v1::LogsRequest& request) {
    return new LogsRelay(controller, clients, request);
}

}  // namespace homeslice::controller
