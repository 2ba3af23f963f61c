#include "noded/api/controller_link.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>
#include <utility>

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

class GrpcControllerLink final : public ControllerLink {
public:
    GrpcControllerLink(const Config& config, const Dependencies& dependencies)
        : config_(config), dependencies_(dependencies), thread_([this] { keep(); }) {}

    ~GrpcControllerLink() override {
        stop_.set();
        cancelCurrent();
        dependencies_.changes.raise();
        thread_.join();
    }

private:
    void keep() {
        BackOff back_off(kFirstRetry, config_.controllers->several() ? kLastRetryOfSeveral : kLastRetry);
        do {
            const grpc::Status end = connectOnce();
            if (stop_.isSet()) return;
            if (taken_in_) back_off.reset();
            announce(end);
        } while (!stop_.waitFor(back_off.next()));
    }

    grpc::Status connectOnce() {
        const auto context = newContext();
        const leader::Controllers::Chosen asked = config_.controllers->current();
        asked_ = asked.address;
        if (stop_.isSet()) return grpc::Status::CANCELLED;  // set before newContext(), nobody cancels this one
        // The first failure is told; from then on gRPC waits for the controller, which is quicker than asking again. Of
        // several, the next one is asked.
        context->set_wait_for_ready(!std::exchange(taken_in_, false) && !config_.controllers->several());
        v1::NodeLink::Stub stub(asked.channel);
        const std::unique_ptr<Stream> stream = stub.Connect(context.get());
        broken_ = false;
        std::thread reader([&] { receive(*stream, *context); });
        send(*stream);
        // A write can fail on a stream that lives on: gRPC may lose what it was to write while it connects. Nobody else
        // would end that one, and the node would be silent.
        if (!broken_) context->TryCancel();
        reader.join();
        const grpc::Status end = stream->Finish();
        named_ = config_.controllers->turnFrom(asked.address, *context);
        return end;
    }

    void announce(const grpc::Status& end) {
        if (named_) return;  // that one is asked next
        const std::string which = config_.controllers->several() ? "leads" : "at " + asked_;
        announcer_.say("no controller " + which + " (" + (end.ok() ? "it closed the link" : end.error_message()) +
                       "); going on without");
    }

    std::shared_ptr<grpc::ClientContext> newContext() {
        auto context = std::make_shared<grpc::ClientContext>();
        const std::lock_guard lock(mutex_);
        context_ = context;
        return context;
    }

    void cancelCurrent() {
        const std::lock_guard lock(mutex_);
        if (context_) context_->TryCancel();
    }

    // Until the stream breaks.
    void send(Stream& stream) {
        if (!stream.Write(helloOf(config_.identity))) return;
        StatusChanges changes;
        Monotonic::time_point told{};  // when the statuses so far would have been told at an even pace
        while (!broken_ && !stop_.isSet()) {
            const uint64_t seen = dependencies_.changes.count();
            const auto begin = Monotonic::now();
            v1::NodeMessage message;
            *message.mutable_status() = changes.next(statusOf(dependencies_.manager, dependencies_.gateway));
            if (!stream.Write(message)) return;
            const auto end = Monotonic::now();
            told = std::max(told, begin) + std::max<Monotonic::duration>(kInterval, kPace * (end - begin));
            told = std::min<Monotonic::time_point>(told, end + kBurst + kLongestRest);
            if (stop_.waitFor(told - end - kBurst)) return;
            rest(seen, end);
        }
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

    void receive(Stream& stream, const grpc::ClientContext& context) {
        v1::ControllerMessage message;
        v1::DesiredState desired;  // all that this stream has said
        v1::NameTable names;
        while (stream.Read(&message)) {
            if (message.has_desired()) {
                // Before there can be a sliver.
                if (const auto controller = addressOfPeer(context.peer()); controller.ok()) {
                    reportNetwork(dependencies_.network.guardController(*controller));
                }
                wire::merge(desired, std::move(*message.mutable_desired()));
                takeIn(desired);
            }
            if (message.has_names() && dependencies_.names != nullptr) {
                wire::merge(names, std::move(*message.mutable_names()));
                reportNetwork(dependencies_.names->set(names));
            }
        }
        broken_ = true;
        dependencies_.changes.raise();
    }

    void takeIn(v1::DesiredState& message) {
        heartbeat_ = heartbeatOf(message);
        const absl::Status folded = wire::foldNodeLists(message);
        absl::StatusOr<DesiredPicture> picture = folded.ok() ? desiredPictureOf(message) : folded;
        if (!picture.ok()) {
            announcer_.say("desired picture " + std::to_string(message.revision()) +
                           " refused: " + messageOf(picture.status()));
            return;
        }
        announcer_.say("connected to the controller at " + asked_);
        // The network first: slivers that start register at the right home agents at once.
        reportNetwork(dependencies_.network.set(picture->network));
        dependencies_.peers.setDiskReaders(picture->disk_readers);
        dependencies_.manager.setDesired(std::move(picture->desired));
        taken_in_ = true;
        dependencies_.changes.raise();
    }

    static void reportNetwork(const absl::Status& status) {
        if (!status.ok()) logError("{}", messageOf(status));
    }

    const Config config_;
    const Dependencies dependencies_;
    StopFlag stop_;
    // Used by the reader while a stream lives, by the link's thread in between: never by both.
    Announcer announcer_;
    std::string asked_;     // address of the controller
    bool named_ = false;    // it said who leads
    bool taken_in_ = true;  // a desired picture came by the latest stream; true at first, to fail fast once
    std::atomic<bool> broken_ = false;
    std::atomic<std::chrono::milliseconds> heartbeat_ = kHeartbeat;
    std::mutex mutex_;
    std::shared_ptr<grpc::ClientContext> context_;
    std::thread thread_;
};

}  // namespace

std::unique_ptr<ControllerLink> ControllerLink::start(const Config& config, const Dependencies& dependencies) {
    return std::make_unique<GrpcControllerLink>(config, dependencies);
}

}  // namespace homeslice::api
