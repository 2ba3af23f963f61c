#include "noded/api/controller_link.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/status.h"
#include "homeslice/v1/node.grpc.pb.h"
#include "noded/api/channel.h"
#include "noded/api/convert.h"
#include "noded/api/grpc_status.h"
#include "noded/api/retry.h"
#include "noded/api/status_changes.h"
#include "spec/wire/merge.h"

namespace homeslice::api {
namespace {

constexpr std::chrono::milliseconds kFirstRetry{100};
constexpr std::chrono::milliseconds kLastRetry{2000};
constexpr std::chrono::milliseconds kLastRetryOfSeveral{300};
constexpr std::chrono::milliseconds kHeartbeat{1000};  // unless the controller says otherwise, within these:
constexpr std::chrono::milliseconds kShortestHeartbeat{100};
constexpr std::chrono::milliseconds kLongestHeartbeat{60'000};
// A start and its end are told at once, a storm of changes together: one status in 2 ms, and 20 beyond. Making one
// takes longer the more slivers there are: in a storm no more than a fifth of the thread's time goes into it.
constexpr std::chrono::milliseconds kInterval{2};
constexpr std::chrono::milliseconds kBurst = 20 * kInterval;
constexpr int kPace = 5;
constexpr std::chrono::milliseconds kLongestRest{20};
constexpr std::chrono::milliseconds kLastWord{1000};  // so long the reason of a failed write may take to come

using Stream = grpc::ClientReaderWriter<v1::NodeMessage, v1::ControllerMessage>;

v1::NodeMessage helloOf(const NodeIdentity& identity) {
    v1::NodeMessage message;
    v1::NodeHello& hello = *message.mutable_hello();
    hello.set_name(identity.name);
    hello.set_care_of_address(identity.care_of_address.toBytes());
    hello.set_api_port(identity.api_port);
    hello.set_version(identity.version);
    hello.set_home_agent(identity.home_agent);
    hello.set_correspondent(identity.correspondent);
    hello.set_cpus(identity.cpus);
    hello.set_memory_bytes(identity.memory_bytes);
    hello.set_kernel(identity.kernel);
    hello.set_boot_id(identity.boot_id);
    return message;
}

v1::NodeStatus statusOf(const sliver::Manager& manager, mobility::AccessGateway& gateway) {
    v1::NodeStatus status;
    // Before the reports: they may then be newer than the revision says, never older.
    status.set_desired_revision(manager.desiredRevision());
    for (const sliver::SliverReport& report : manager.reports()) *status.add_slivers() = toMessage(report);
    const mobility::AccessGateway::Refusals refusals = gateway.refusals();
    status.set_bindings_refused(refusals.count);
    status.set_binding_refusal(refusals.last);
    return status;
}

std::chrono::milliseconds heartbeatOf(const v1::DesiredState& state) {
    if (state.heartbeat_ms() == 0) return kHeartbeat;
    return std::clamp(std::chrono::milliseconds(state.heartbeat_ms()), kShortestHeartbeat, kLongestHeartbeat);
}

// Says a thing once, until it changes.
class Announcer {
public:
    void say(const std::string& text) {
        if (std::exchange(last_, text) != text) logInfo("{}", text);
    }

private:
    std::string last_;
};

// One stream, and the thread that reads it.
struct Call {
    Call(uint64_t number, leader::Controllers::Chosen chosen) : serial(number), asked(std::move(chosen)) {}

    const uint64_t serial;  // the later, the greater
    const leader::Controllers::Chosen asked;
    grpc::ClientContext context;
    std::unique_ptr<Stream> stream;
    std::atomic<bool> broken = false;
    std::atomic<bool> taken_in = false;  // a desired picture came by it
    Monotonic::time_point replace_at;
    std::thread reader;
};

class GrpcControllerLink final : public ControllerLink {
public:
    GrpcControllerLink(const Config& config, const Dependencies& dependencies)
        : config_(config), dependencies_(dependencies), thread_([this] { keep(); }) {}

    ~GrpcControllerLink() override {
        stop_.set();
        cancelAll();
        dependencies_.changes.raise();
        thread_.join();
    }

private:
    void keep() {
        BackOff back_off(kFirstRetry, config_.controllers->several() ? kLastRetryOfSeveral : kLastRetry);
        do {
            connectOnce();
            if (taken_in_) back_off.reset();
        } while (!stop_.waitFor(back_off.next()));
    }

    void connectOnce() {
        // The first failure is told; from then on gRPC waits for the controller, which is quicker than asking again. Of
        // several, the next one is asked.
        std::unique_ptr<Call> call = open(!std::exchange(taken_in_, false) && !config_.controllers->several());
        while (std::unique_ptr<Call> successor = send(*call)) finish(*std::exchange(call, std::move(successor)));
        const grpc::Status end = finish(*call);
        const bool named = config_.controllers->turnFrom(call->asked.address, call->context);
        if (!named && !stop_.isSet()) announce(call->asked.address, end);
    }

    void announce(const std::string& asked, const grpc::Status& end) {
        const std::string which = config_.controllers->several() ? "leads" : "at " + asked;
        announcer_.say("no controller " + which + " (" + (end.ok() ? "it closed the link" : end.error_message()) +
                       "); going on without");
    }

    // Says hello.
    std::unique_ptr<Call> open(bool wait_for_controller) {
        auto call = std::make_unique<Call>(++last_serial_, config_.controllers->current());
        call->context.set_wait_for_ready(wait_for_controller);
        call->replace_at = Monotonic::now() + config_.stream_age;
        keepCancellable(call->context);
        v1::NodeLink::Stub stub(call->asked.channel);
        call->stream = stub.Connect(&call->context);
        call->reader = std::thread([this, &call = *call] { receive(call); });
        if (!call->stream->Write(helloOf(config_.identity))) letEnd(*call);
        return call;
    }

    // After a failed write. Mostly the controller has ended the stream, and its word is on the way: it may name who
    // leads. But gRPC may also lose what it was to write while it connects: that stream lives on, nobody else would end
    // it, and the node would be silent.
    void letEnd(Call& call) {
        const auto deadline = Monotonic::now() + kLastWord;
        for (uint64_t seen = dependencies_.changes.count();
             !call.broken && !stop_.isSet() && Monotonic::now() < deadline; seen = dependencies_.changes.count())
            dependencies_.changes.waitBeyond(seen, deadline);
        if (!call.broken) call.context.TryCancel();
    }

    grpc::Status finish(Call& call) {
        if (!call.broken) call.context.TryCancel();
        call.reader.join();
        grpc::Status end = call.stream->Finish();
        const std::lock_guard lock(mutex_);
        std::erase(cancellable_, &call.context);
        return end;
    }

    void keepCancellable(grpc::ClientContext& context) {
        const std::lock_guard lock(mutex_);
        cancellable_.push_back(&context);
        if (stop_.isSet()) context.TryCancel();
    }

    void cancelAll() {
        const std::lock_guard lock(mutex_);
        for (grpc::ClientContext* const context : cancellable_) context->TryCancel();
    }

    // Until the call breaks, or another has taken its place: then returns that one. The controller ends a call whose
    // certificate expires, and to users the node would be away until it had connected again: so the next call is there
    // before, and the controller turns from one to the other in one step.
    std::unique_ptr<Call> send(Call& call) {
        StatusChanges changes;
        Monotonic::time_point told{};  // when the statuses so far would have been told at an even pace
        std::unique_ptr<Call> successor;
        do {
            if (successor == nullptr && Monotonic::now() >= call.replace_at) successor = open(false);
            if (successor != nullptr && successor->broken) {
                finish(*successor);
                successor.reset();
                call.replace_at = Monotonic::now() + kLastRetry;
            }
        } while (tell(call, changes, told) && !(successor != nullptr && successor->taken_in));
        if (successor == nullptr || !successor->broken) return successor;
        finish(*successor);
        return nullptr;
    }

    // One status, and waits for the time of the next. False when there is none.
    bool tell(Call& call, StatusChanges& changes, Monotonic::time_point& told) {
        const uint64_t seen = dependencies_.changes.count();
        const auto begin = Monotonic::now();
        v1::NodeMessage message;
        *message.mutable_status() = changes.next(statusOf(dependencies_.manager, dependencies_.gateway));
        if (!call.stream->Write(message)) {
            letEnd(call);
            return false;
        }
        const auto end = Monotonic::now();
        told = std::max(told, begin) + std::max<Monotonic::duration>(kInterval, kPace * (end - begin));
        told = std::min<Monotonic::time_point>(told, end + kBurst + kLongestRest);
        if (stop_.waitFor(told - end - kBurst)) return false;
        rest(seen, end);
        return !call.broken && !stop_.isSet();
    }

    // Until there is something to tell, or the next heartbeat is due.
    void rest(uint64_t seen, Monotonic::time_point last) {
        Monotonic::time_point now = last;
        do {
            const auto due = std::min(last + heartbeat_.load(), now + kHeartbeat);
            dependencies_.changes.waitBeyond(seen, due);
            reportNetwork(dependencies_.network.settle());
            if (dependencies_.names != nullptr) reportNetwork(dependencies_.names->settle());
            dependencies_.peers.review();
            now = Monotonic::now();
        } while (dependencies_.changes.count() == seen && now < last + heartbeat_.load());
    }

    void receive(Call& call) {
        v1::ControllerMessage message;
        v1::DesiredState desired;  // all that this call has said
        v1::NameTable names;
        while (call.stream->Read(&message)) {
            const std::lock_guard lock(taking_);
            if (call.serial < last_taken_) continue;  // its successor has spoken
            last_taken_ = call.serial;
            if (message.has_desired()) {
                // Before there can be a sliver.
                if (const auto controller = addressOfPeer(call.context.peer()); controller.ok()) {
                    reportNetwork(dependencies_.network.guardController(*controller));
                }
                wire::merge(desired, std::move(*message.mutable_desired()));
                takeIn(call, desired);
            }
            if (message.has_names() && dependencies_.names != nullptr) {
                wire::merge(names, std::move(*message.mutable_names()));
                reportNetwork(dependencies_.names->set(names));
            }
        }
        call.broken = true;
        dependencies_.changes.raise();
    }

    // With `taking_` held.
    void takeIn(Call& call, v1::DesiredState& message) {
        heartbeat_ = heartbeatOf(message);
        const absl::Status folded = wire::foldNodeLists(message);
        absl::StatusOr<DesiredPicture> picture = folded.ok() ? desiredPictureOf(message) : folded;
        if (!picture.ok()) {
            announcer_.say("desired picture " + std::to_string(message.revision()) +
                           " refused: " + messageOf(picture.status()));
            return;
        }
        announcer_.say("connected to the controller at " + call.asked.address);
        // The network first: slivers that start register at the right home agents at once.
        reportNetwork(dependencies_.network.set(picture->network));
        dependencies_.peers.setDiskReaders(picture->disk_readers);
        dependencies_.manager.setDesired(std::move(picture->desired));
        taken_in_ = true;
        call.taken_in = true;
        dependencies_.changes.raise();
    }

    static void reportNetwork(const absl::Status& status) {
        if (!status.ok()) logError("{}", messageOf(status));
    }

    const Config config_;
    const Dependencies dependencies_;
    StopFlag stop_;
    uint64_t last_serial_ = 0;  // the link's thread's
    std::atomic<std::chrono::milliseconds> heartbeat_ = kHeartbeat;
    std::mutex taking_;
    // Of the readers, with `taking_` held; of the link's thread while there is none.
    uint64_t last_taken_ = 0;  // serial of the latest call that has spoken
    Announcer announcer_;
    bool taken_in_ = true;  // a desired picture came since the last failure; true at first, to fail fast once
    std::mutex mutex_;
    std::vector<grpc::ClientContext*> cancellable_;
    std::thread thread_;
};

}  // namespace

std::unique_ptr<ControllerLink> ControllerLink::start(const Config& config, const Dependencies& dependencies) {
    return std::make_unique<GrpcControllerLink>(config, dependencies);
}

}  // namespace homeslice::api
