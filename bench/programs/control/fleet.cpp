#include "fleet.h"

#include <map>
#include <optional>
#include <utility>

#include "base/ipv6.h"
#include "base/status.h"
#include "controller_process.h"
#include "homeslice/v1/node.grpc.pb.h"
#include "pki/identity.h"

namespace homeslice::bench {
namespace {

using Stream = grpc::ClientBidiReactor<v1::NodeMessage, v1::ControllerMessage>;

constexpr uint32_t kProcessors = 64;
constexpr std::chrono::milliseconds kLook{20};
constexpr size_t kJoinAtOnce = 256;  // nodes: more would wait longer in line than a handshake may take

v1::NodeMessage helloOf(size_t number) {
    v1::NodeMessage message;
    v1::NodeHello& hello = *message.mutable_hello();
    hello.set_name(nodeName(number));
    hello.set_care_of_address(Ipv6Address::parse("fd00:51ce::").value().withInterfaceId(number + 1).toBytes());
    hello.set_api_port(7401);
    hello.set_version("bench");
    hello.set_cpus(kProcessors);
    hello.set_boot_id("boot");
    return message;
}

v1::SliverStatus statusOf(const v1::SliverId& id, uint64_t generation) {
    v1::SliverStatus status;
    *status.mutable_sliver() = id;
    status.set_generation(generation);
    status.set_image_ready(true);
    status.set_state(v1::SLIVER_STATE_RUNNING);
    return status;
}

}  // namespace

// One stream after the other. Keeps itself alive while gRPC has it.
class SimulatedNode : public Stream, public std::enable_shared_from_this<SimulatedNode> {
public:
    SimulatedNode(Fleet& fleet, size_t number, std::shared_ptr<grpc::Channel> channel)
        : fleet_(fleet), number_(number), stub_(v1::NodeLink::NewStub(std::move(channel))) {}

    void connect() {
        const std::lock_guard lock(mutex_);
        if (stopping_) return;
        self_ = shared_from_this();
        context_ = std::make_unique<grpc::ClientContext>();
        context_->set_wait_for_ready(true);
        whole_due_ = true;
        ready_ = false;
        status_.reset();
        stub_->async()->Connect(context_.get(), this);
        AddHold();  // writes begin from other threads too
        held_ = true;
        outgoing_ = helloOf(number_);
        writing_ = true;
        StartWrite(&outgoing_);
        StartRead(&incoming_);
        StartCall();
    }

    void stop() {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        if (context_ != nullptr) context_->TryCancel();
    }
    bool live() const {
        const std::lock_guard lock(mutex_);
        return self_ != nullptr;
    }

    void letGo() {
        const std::lock_guard lock(mutex_);
        holds_back_ = false;
        writeNext();
    }

    void heartbeat() {
        const std::lock_guard lock(mutex_);
        if (!ready_) return;
        statusDue();
        writeNext();
        fleet_.heartbeats_ += 1;
    }

    void OnReadDone(bool ok) override {
        const std::lock_guard lock(mutex_);
        if (!ok) return release();
        if (incoming_.has_desired()) take(incoming_.desired());
        v1::ControllerMessage().Swap(&incoming_);  // as a node of ten thousand on one machine must
        StartRead(&incoming_);
    }
    void OnWriteDone(bool ok) override {
        const std::lock_guard lock(mutex_);
        writing_ = false;
        if (!ok) {
            // As noded does: the stream may live on, but what was to be written is lost.
            context_->TryCancel();
            return release();
        }
        if (outgoing_.has_status() && !std::exchange(ready_, true)) fleet_.ready_ += 1;
        writeNext();
    }
    void OnDone(const grpc::Status& /*status*/) override {
        std::shared_ptr<SimulatedNode> self;
        {
            const std::lock_guard lock(mutex_);
            if (std::exchange(ready_, false)) fleet_.ready_ -= 1;
            self = std::move(self_);
            self_ = nullptr;
        }
        connect();  // as noded does
    }

private:
    // With the lock held, all of these.
    void release() {
        if (std::exchange(held_, false)) RemoveHold();
    }

    void take(const v1::DesiredState& desired) {
        if (desired.heartbeat_ms() != 0) fleet_.heartbeat_ms_ = desired.heartbeat_ms();
        revision_ = desired.revision();
        if (desired.since() == 0) {
            fleet_.running_ -= slivers_.size();
            slivers_.clear();
            whole_due_ = true;
        }
        v1::NodeStatus& status = statusDue();
        for (const v1::DesiredSliver& sliver : desired.slivers()) {
            const auto [known, is_new] =
                slivers_.insert_or_assign({sliver.sliver().slice(), sliver.sliver().index()}, sliver.generation());
            if (is_new) fleet_.running_ += 1;
            if (fleet_.isHeldBack(sliver.sliver().slice(), *this)) holds_back_ = true;
            if (!whole_due_) *status.add_slivers() = statusOf(sliver.sliver(), known->second);
        }
        for (const v1::SliverId& id : desired.gone()) {
            fleet_.running_ -= slivers_.erase({id.slice(), id.index()});
            *status.add_gone() = id;
        }
        taken_in_ = true;
        writeNext();
    }

    v1::NodeStatus& statusDue() {
        if (!status_) status_.emplace().set_changes_only(true);
        status_->set_desired_revision(revision_);
        return *status_;
    }

    void fillWhole() {
        status_->set_changes_only(false);
        status_->clear_slivers();
        status_->clear_gone();
        for (const auto& [id, generation] : slivers_) {
            v1::SliverId message;
            message.set_slice(id.first);
            message.set_index(id.second);
            *status_->add_slivers() = statusOf(message, generation);
        }
        whole_due_ = false;
    }

    void writeNext() {
        if (writing_ || holds_back_ || !held_ || !status_ || !taken_in_) return;
        if (whole_due_) fillWhole();
        *outgoing_.mutable_status() = *std::exchange(status_, std::nullopt);
        writing_ = true;
        StartWrite(&outgoing_);
    }

    Fleet& fleet_;
    const size_t number_;
    const std::unique_ptr<v1::NodeLink::Stub> stub_;
    mutable std::mutex mutex_;
    std::shared_ptr<SimulatedNode> self_;
    std::unique_ptr<grpc::ClientContext> context_;
    v1::NodeMessage outgoing_;
    v1::ControllerMessage incoming_;
    bool held_ = false;
    bool writing_ = false;
    bool stopping_ = false;
    bool ready_ = false;     // has told a status by this stream
    bool taken_in_ = false;  // a picture, ever
    bool whole_due_ = true;
    bool holds_back_ = false;
    uint64_t revision_ = 0;
    std::map<std::pair<std::string, uint32_t>, uint64_t> slivers_;  // and their generations
    std::optional<v1::NodeStatus> status_;                          // waits for the write under way
};

// One key for all: what is measured does not depend on whose it is.
Fleet::Fleet(const pki::Authority& authority)
    : authority_(authority), key_(pki::generateKey().value()), beats_([this] { beat(); }) {}

Fleet::~Fleet() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    stop_.notify_all();
    beats_.join();
    for (const auto& node : nodes_) node->stop();
    for (const auto& node : nodes_) {
        while (node->live()) std::this_thread::sleep_for(kLook);
    }
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> Fleet::channelFor(size_t number) const {
    constexpr std::chrono::hours kLongEnough{24};
    HS_ASSIGN_OR_RETURN(const pki::Certificate certificate,
                        authority_.issue(key_, {pki::Kind::node, nodeName(number), enrolmentOf(number)}, kLongEnough));
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = authority_.certificate().toPem();
    HS_ASSIGN_OR_RETURN(options.pem_private_key, pki::toPem(key_));
    options.pem_cert_chain = certificate.toPem();
    grpc::ChannelArguments arguments;
    arguments.SetSslTargetNameOverride(pki::kControllerName);
    arguments.SetMaxReceiveMessageSize(-1);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 10'000);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2000);
    return grpc::CreateCustomChannel(ControllerProcess::address(), grpc::SslCredentials(options), arguments);
}

absl::Status Fleet::growTo(size_t count, std::chrono::seconds patience) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (nodes_.size() < count) {
        while (nodes_.size() - ready_ >= kJoinAtOnce) {
            if (std::chrono::steady_clock::now() > deadline) return deadlineExceeded("nodes do not connect");
            std::this_thread::sleep_for(kLook);
        }
        HS_ASSIGN_OR_RETURN(auto channel, channelFor(nodes_.size()));
        auto node = std::make_shared<SimulatedNode>(*this, nodes_.size(), std::move(channel));
        node->connect();
        const std::lock_guard lock(mutex_);
        nodes_.push_back(std::move(node));
    }
    return awaitReady(patience);
}

absl::Status Fleet::awaitReady(std::chrono::seconds patience) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (ready_ < nodes_.size()) {
        if (std::chrono::steady_clock::now() > deadline) {
            return deadlineExceeded(std::to_string(nodes_.size() - ready_) + " nodes are not connected");
        }
        std::this_thread::sleep_for(kLook);
    }
    return absl::OkStatus();
}

absl::Status Fleet::awaitRunning(uint64_t slivers, std::chrono::seconds patience) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (running_ != slivers) {
        if (std::chrono::steady_clock::now() > deadline) {
            return deadlineExceeded(std::to_string(running_) + " of " + std::to_string(slivers) + " slivers run");
        }
        std::this_thread::sleep_for(kLook);
    }
    return absl::OkStatus();
}

void Fleet::holdBack(const std::string& slice) {
    const std::lock_guard lock(mutex_);
    held_slice_ = slice;
    holder_.reset();
}

bool Fleet::isHeldBack(const std::string& slice, SimulatedNode& node) {
    const std::lock_guard lock(mutex_);
    if (slice != held_slice_) return false;
    holder_ = node.shared_from_this();
    held_.notify_all();
    return true;
}

absl::StatusOr<std::chrono::steady_clock::time_point> Fleet::letGo(std::chrono::seconds patience) {
    std::shared_ptr<SimulatedNode> node;
    {
        std::unique_lock lock(mutex_);
        if (!held_.wait_for(lock, patience, [this] { return holder_ != nullptr; })) {
            return deadlineExceeded("no node is told of slice " + held_slice_);
        }
        node = std::exchange(holder_, nullptr);
        held_slice_.clear();
    }
    const auto now = std::chrono::steady_clock::now();
    node->letGo();
    return now;
}

// Evenly over the time that the controller asks for, so that not all come at once.
void Fleet::beat() {
    constexpr size_t kParts = 100;
    for (size_t part = 0;; part = (part + 1) % kParts) {
        std::vector<std::shared_ptr<SimulatedNode>> due;
        {
            std::unique_lock lock(mutex_);
            const auto pause = std::chrono::milliseconds(heartbeat_ms_) / kParts;
            if (stop_.wait_for(lock, pause, [this] { return stopping_; })) return;
            for (size_t i = part; i < nodes_.size(); i += kParts) due.push_back(nodes_[i]);
        }
        for (const auto& node : due) node->heartbeat();
    }
}

}  // namespace homeslice::bench
