#include "controller/api/node_link.h"

#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "controller/api/convert.h"
#include "controller/api/image_sender.h"
#include "controller/api/refused.h"
#include "spec/wire/merge.h"
#include "spec/wire/names.h"

namespace homeslice::controller {
namespace {

// One node's stream. The core keeps a shared_ptr as its session; the stream keeps one to itself until gRPC is done.
class NodeStream : public grpc::ServerBidiReactor<v1::NodeMessage, v1::ControllerMessage>,
                   public NodeSession,
                   public std::enable_shared_from_this<NodeStream> {
public:
    // `name` is the one of its certificate.
    NodeStream(Controller& controller, const AddressGrants& grants, EncodedLists& lists, std::string name)
        : controller_(controller), grants_(grants), lists_(lists), name_(std::move(name)) {}

    void begin() {
        self_ = shared_from_this();
        StartRead(&incoming_);
    }

    void OnReadDone(bool ok) override {
        if (!ok) return end(grpc::Status::OK);
        if (const absl::Status taken = take(incoming_); !taken.ok()) return end(toGrpc(taken));
        const std::lock_guard lock(mutex_);
        if (!finished_) StartRead(&incoming_);
    }
    void OnWriteDone(bool ok) override {
        const std::lock_guard lock(mutex_);
        writing_ = false;
        v1::ControllerMessage().Swap(&outgoing_);  // a whole picture may be a megabyte, and there are many nodes
        if (!ok) return endLocked(grpc::Status::CANCELLED);  // each message builds on the one before
        writeNext();
    }
    void OnCancel() override { end(grpc::Status::CANCELLED); }
    void OnDone() override {
        if (handle_) controller_.disconnectNode(*handle_);
        self_.reset();
    }

    void send(uint64_t revision, const Picture& picture, const NameTable* names) override {
        const std::lock_guard lock(mutex_);
        v1::DesiredState desired;
        toDesiredState(revision, picture, desired);
        for (const auto& list : picture.node_lists) desired.add_node_lists(*lists_.of(list));
        grants_.add(name_, is_home_agent_, picture.former_home_agents, desired);
        v1::ControllerMessage& next = nextMessage();
        merge(next, std::move(desired));
        if (names != nullptr) merge(next, wire::toMessage(*names));
        writeNext();
    }
    void sendNames(const NameTable& names) override {
        const std::lock_guard lock(mutex_);
        merge(nextMessage(), wire::toMessage(names));
        writeNext();
    }
    void close(const absl::Status& why) override { end(toGrpc(why)); }

private:
    absl::Status take(const v1::NodeMessage& message) {
        if (message.has_status() && handle_) {
            controller_.reportFromNode(*handle_, fromNodeStatus(message.status()));
            return absl::OkStatus();
        }
        if (!message.has_hello() || handle_) return invalidArgument("a node says hello first, once, then its status");
        HS_ASSIGN_OR_RETURN(const Node node, fromHello(message.hello()));
        if (node.name != name_) {
            return permissionDenied("node '" + name_ + "' lacks the right to speak for node '" +
                                    node.name.substr(0, 60) + "'");
        }
        {
            const std::lock_guard lock(mutex_);
            is_home_agent_ = node.home_agent;
        }
        auto handle = controller_.connectNode(node, shared_from_this());
        if (!handle.ok()) {
            logWarning("node '{}' is refused: {}", node.name, messageOf(handle.status()));
            return handle.status();
        }
        handle_ = *std::move(handle);
        return absl::OkStatus();
    }

    // The rest wants the lock held.

    v1::ControllerMessage& nextMessage() { return next_ ? *next_ : next_.emplace(); }

    static void merge(v1::ControllerMessage& next, v1::DesiredState desired) {
        if (next.has_desired()) {
            wire::merge(*next.mutable_desired(), std::move(desired));
        } else {
            *next.mutable_desired() = std::move(desired);
        }
    }
    static void merge(v1::ControllerMessage& next, v1::NameTable names) {
        if (next.has_names()) {
            wire::merge(*next.mutable_names(), std::move(names));
        } else {
            *next.mutable_names() = std::move(names);
        }
    }

    void writeNext() {
        if (writing_ || finished_ || !next_) return;
        outgoing_ = *std::exchange(next_, std::nullopt);
        writing_ = true;
        StartWrite(&outgoing_);
    }

    void end(const grpc::Status& status) {
        const std::lock_guard lock(mutex_);
        endLocked(status);
    }

    void endLocked(const grpc::Status& status) {
        if (std::exchange(finished_, true)) return;
        Finish(status);
    }

    Controller& controller_;
    const AddressGrants& grants_;
    EncodedLists& lists_;
    const std::string name_;
    std::shared_ptr<NodeStream> self_;
    std::optional<NodeHandle> handle_;  // touched by the read side only, then by OnDone
    v1::NodeMessage incoming_;

    std::mutex mutex_;
    bool is_home_agent_ = false;  // as it says in its hello
    bool finished_ = false;
    bool writing_ = false;
    v1::ControllerMessage outgoing_;
    // What waits for the write under way: all that has come meanwhile, in one.
    std::optional<v1::ControllerMessage> next_;
};

}  // namespace

grpc::ServerBidiReactor<v1::NodeMessage, v1::ControllerMessage>* NodeLinkService::Connect(
    grpc::CallbackServerContext* context) {
    const auto name = gate_.nodeOf(*context);
    if (!name.ok()) {
        logWarning("a link from {} is refused: {}", context->peer(), messageOf(name.status()));
        return new Refused<grpc::ServerBidiReactor<v1::NodeMessage, v1::ControllerMessage>>(name.status());
    }
    const auto stream = std::make_shared<NodeStream>(gate_.controller(), grants_, lists_, *name);
    stream->begin();
    return stream.get();
}

grpc::ServerWriteReactor<v1::Chunk>* NodeLinkService::FetchImage(grpc::CallbackServerContext* context,
                                                                 const v1::FetchImageRequest* request) {
    const absl::Status allowed = isController(*context) ? absl::OkStatus() : gate_.nodeOf(*context).status();
    if (!allowed.ok()) return new Refused<grpc::ServerWriteReactor<v1::Chunk>>(allowed);
    return sendImage(images_.openArchive(request->digest()));
}

grpc::ServerBidiReactor<v1::Chunk, v1::Chunk>* NodeLinkService::Listen(grpc::CallbackServerContext* context) {
    const auto name = gate_.nodeOf(*context);
    if (!name.ok()) return new Refused<grpc::ServerBidiReactor<v1::Chunk, v1::Chunk>>(name.status());
    return board_.listen(*name);
}

grpc::ServerBidiReactor<v1::DialRequest, v1::Chunk>* NodeLinkService::Dial(grpc::CallbackServerContext* context) {
    const absl::Status allowed = gate_.nodeOf(*context).status();
    if (!allowed.ok()) return new Refused<grpc::ServerBidiReactor<v1::DialRequest, v1::Chunk>>(allowed);
    return board_.dial();
}

}  // namespace homeslice::controller
