#include "controller/api/switchboard.h"

#include <algorithm>
#include <utility>

#include "base/ipv4.h"
#include "base/log.h"
#include "base/nat.h"
#include "base/status.h"
#include "controller/api/convert.h"
#include "controller/api/spliced_call.h"

namespace homeslice::controller {
namespace {

// Far more than anybody's channels; beyond, the oldest have given up long ago.
constexpr size_t kMostWaiting = 64;
// A node holds one at a time, and a second for a moment.
constexpr size_t kMostCalls = 4;

}  // namespace

class Switchboard::ListenCall final : public SplicedCall<v1::Chunk> {
public:
    ListenCall(Switchboard& board, FdWaiter& waiter, std::string node)
        : SplicedCall(waiter), board_(board), node_(std::move(node)) {}

    void OnDone() override {
        board_.leave(node_, this);
        SplicedCall::OnDone();
    }

private:
    Switchboard& board_;
    const std::string node_;
};

class Switchboard::DialCall final : public SplicedCall<v1::DialRequest> {
public:
    DialCall(Switchboard& board, FdWaiter& waiter) : SplicedCall(waiter), board_(board) {}

    void begin() {
        keep();
        StartRead(&request_);
    }
    void OnReadDone(bool ok) override {
        if (connected_) return SplicedCall::OnReadDone(ok);
        connected_ = true;
        const absl::Status status = ok ? connectToCalled() : absl::CancelledError();
        if (!status.ok()) end(toGrpc(status));
    }

private:
    absl::Status connectToCalled() {
        HS_ASSIGN_OR_RETURN(const Ipv6Address called, Ipv6Address::fromBytes(request_.care_of_address()));
        HS_ASSIGN_OR_RETURN(UniqueFd socket, board_.connectTo(called));
        return connect(std::move(socket)) ? absl::OkStatus() : absl::CancelledError();
    }

    Switchboard& board_;
    bool connected_ = false;  // the read side's
};

absl::StatusOr<std::unique_ptr<Switchboard>> Switchboard::start() {
    HS_ASSIGN_OR_RETURN(auto waiter, FdWaiter::start());
    return std::unique_ptr<Switchboard>(new Switchboard(std::move(waiter)));
}

absl::StatusOr<std::string> Switchboard::targetFor(const std::string& node) {
    const std::lock_guard lock(mutex_);
    HS_ASSIGN_OR_RETURN(const Line* const line, lineOf(node));
    return line->listener.target();
}

grpc::ServerBidiReactor<v1::Chunk, v1::Chunk>* Switchboard::listen(const std::string& node) {
    const auto call = std::make_shared<ListenCall>(*this, *waiter_, node);
    call->keep();
    const std::lock_guard lock(mutex_);
    const auto line = lineOf(node);
    if (!line.ok()) {
        call->end(toGrpc(line.status()));
        return call.get();
    }
    call->StartSendInitialMetadata();  // tells the node that it is heard
    (*line)->calls.push_back(call);
    if ((*line)->calls.size() > kMostCalls) {
        (*line)->calls.front()->end(toGrpc(resourceExhausted("this node listens with too many calls")));
        (*line)->calls.pop_front();
    }
    putThrough(**line);
    return call.get();
}

grpc::ServerBidiReactor<v1::DialRequest, v1::Chunk>* Switchboard::dial() {
    const auto call = std::make_shared<DialCall>(*this, *waiter_);
    call->begin();
    return call.get();
}

// With the lock held.
absl::StatusOr<Switchboard::Line*> Switchboard::lineOf(const std::string& node) {
    const auto found = lines_.find(node);
    if (found != lines_.end()) return &found->second;
    HS_ASSIGN_OR_RETURN_CTX(LocalListener listener, LocalListener::open(), "connections to node '" + node + "'");
    Line& line = lines_.emplace(node, Line{.listener = std::move(listener), .calls = {}, .waiting = {}}).first->second;
    awaitConnection(node, line);
    return &line;
}

void Switchboard::awaitConnection(const std::string& node, const Line& line) {
    waiter_->waitOnce(line.listener.fd(), EPOLLIN, [this, node] { takeConnections(node); });
}

void Switchboard::takeConnections(const std::string& node) {
    const std::lock_guard lock(mutex_);
    Line& line = lines_.at(node);
    while (UniqueFd connection = line.listener.accept()) line.waiting.push_back(std::move(connection));
    while (line.waiting.size() > kMostWaiting) line.waiting.pop_front();
    putThrough(line);
    awaitConnection(node, line);
}

// With the lock held.
void Switchboard::putThrough(Line& line) {
    while (!line.calls.empty() && !line.waiting.empty()) {
        const auto call = std::move(line.calls.front());
        line.calls.pop_front();
        // A call that has ended meanwhile takes the connection with it: whoever made it makes another.
        if (call->connect(std::move(line.waiting.front()))) line.waiting.pop_front();
    }
}

void Switchboard::leave(const std::string& node, const ListenCall* call) {
    const std::lock_guard lock(mutex_);
    const auto line = lines_.find(node);
    if (line != lines_.end()) std::erase_if(line->second.calls, [&](const auto& one) { return one.get() == call; });
}

absl::StatusOr<UniqueFd> Switchboard::connectTo(const Ipv6Address& care_of_address) {
    const std::lock_guard lock(mutex_);
    const auto line = std::find_if(lines_.begin(), lines_.end(),
                                   [&](const auto& entry) { return isBehindNatOf(care_of_address, entry.first); });
    if (line != lines_.end()) return connectLocally(line->second.listener.target());
    return unavailable("the node at " + addressText(care_of_address) + " is not connected to this controller");
}

}  // namespace homeslice::controller
