#include "ctl/client/client.h"

#include <cstdlib>
#include <utility>

#include "base/names.h"
#include "ctl/client/address.h"
#include "ctl/client/channel.h"
#include "leader/controllers.h"
#include "pki/enrol/enrol.h"

namespace homeslice::ctl {
namespace {

using Stub = v1::ControllerService::Stub;

constexpr std::chrono::seconds kConnectWithin{10};
constexpr int kLargestAnswer = 64 << 20;
constexpr int kPingAfterMs = 2000;
constexpr int kMaxReconnects = 200;

grpc::ChannelArguments channelArguments(bool one_of_several) {
    // gRPC's own log lines would stand between ours; an administrator can ask for them by the same variable.
    ::setenv("GRPC_VERBOSITY", "NONE", 0);
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(kLargestAnswer);
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
    // The time that an attempt to connect may take, too: on a busy machine more than one would think.
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS,
                     static_cast<int>(std::chrono::milliseconds(kConnectWithin).count()));
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
    if (one_of_several) {
        arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kPingAfterMs);
        arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kPingAfterMs);
    }
    return arguments;
}

absl::Status checkNotExpired(const std::string& directory) {
    HS_ASSIGN_OR_RETURN(const pki::Credentials files, pki::readCredentials(directory));
    HS_ASSIGN_OR_RETURN(const pki::Certificate certificate, pki::Certificate::parse(files.certificate_pem));
    if (certificate.notAfter() > Utc::now()) return absl::OkStatus();
    return failedPrecondition("your certificate expired on " + formatUtc(certificate.notAfter()) +
                              ": remove the context, and add it again with a token of an administrator's");
}

absl::StatusOr<leader::Controllers::MakeChannel> channelMaker(const Endpoint& endpoint) {
    // On a socket it is the file's owner and mode that protect.
    if (endpoint.credentials.empty()) {
        HS_ASSIGN_OR_RETURN(const std::string target, grpcTarget(endpoint.address));
        return [target](const std::string&) {
            return grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), channelArguments(false));
        };
    }
    HS_RETURN_IF_ERROR(grpcTargets(endpoint.address).status());
    HS_RETURN_IF_ERROR(checkNotExpired(endpoint.credentials));
    HS_ASSIGN_OR_RETURN(auto credentials, tls::Credentials::open(endpoint.credentials));
    const bool several = leader::splitAddresses(endpoint.address).size() > 1;
    return [credentials = std::move(credentials), several](const std::string& address) {
        return credentials->channel("dns:///" + address, pki::kControllerName, channelArguments(several));
    };
}

absl::Status notConnected(const Endpoint& endpoint) {
    if (endpoint.credentials.empty()) {
        return unavailable("no controller at " + endpoint.address + ": is a lab up? (slicectl lab up)");
    }
    return unavailable("no controller at " + endpoint.address + ", or not the one of " + endpoint.credentials);
}

// The command goes on with the present certificate, which is good for weeks yet; the next one tries again.
void renewIfDue(const std::shared_ptr<grpc::Channel>& channel, const std::string& directory) {
    const auto due = enrol::isRenewalDue(directory);
    if (due.ok() && *due) static_cast<void>(enrol::renew(channel, directory));
}

// Unlike Channel::WaitForConnected(), gives up at the first refusal.
bool connected(grpc::Channel& channel, std::chrono::seconds within) {
    const auto deadline = std::chrono::system_clock::now() + within;
    grpc_connectivity_state state = channel.GetState(true);
    while (state != GRPC_CHANNEL_READY) {
        if (state == GRPC_CHANNEL_TRANSIENT_FAILURE || state == GRPC_CHANNEL_SHUTDOWN) return false;
        if (!channel.WaitForStateChange(state, deadline)) return false;
        state = channel.GetState(true);
    }
    return true;
}

bool ended(const v1::Operation& operation) { return operation.state() > v1::OPERATION_STATE_RUNNING; }

}  // namespace

Client::Client(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Client::~Client() = default;

absl::StatusOr<std::unique_ptr<Client>> Client::connect(const Endpoint& endpoint, Cancellation& cancellation) {
    HS_ASSIGN_OR_RETURN(auto make, channelMaker(endpoint));
    const bool local = endpoint.credentials.empty();
    auto addresses = local ? std::vector<std::string>{endpoint.address} : leader::splitAddresses(endpoint.address);
    if (addresses.empty()) return invalidArgument("no controller is given");
    std::unique_ptr<Impl> impl(new Impl{{std::move(addresses), std::move(make)}, !local, cancellation});
    HS_RETURN_IF_ERROR(impl->findLeader(endpoint));
    if (!local) renewIfDue(impl->ask().channel, endpoint.credentials);
    return std::unique_ptr<Client>(new Client(std::move(impl)));
}

absl::Status Client::Impl::findLeader(const Endpoint& endpoint) {
    if (!follows) return connected(*ask().channel, kConnectWithin) ? absl::OkStatus() : notConnected(endpoint);
    LeaderSearch search(controllers);
    const Cancellation::Registration interrupted(cancellation, [&search] { search.stop(); });
    switch (search.run(kFailoverWithin)) {
        case LeaderSearch::End::found:
            if (const std::string asked = controllers.current().address; asked != search.leader()) {
                controllers.turnFrom(asked, search.leader());
            }
            return absl::OkStatus();
        case LeaderSearch::End::nobody_leads:
            return unavailable("no controller leads at " + endpoint.address + ": see the log of sliced there");
        case LeaderSearch::End::nobody_answers:
            return notConnected(endpoint);
        case LeaderSearch::End::stopped:
            break;
    }
    return cancelled("interrupted");
}

absl::StatusOr<v1::ListNodesResponse> Client::listNodes() {
    return impl_->callForAll(&Stub::ListNodes, v1::ListNodesRequest());
}

absl::StatusOr<v1::Node> Client::getNode(const std::string& name) {
    v1::GetNodeRequest request;
    request.set_name(name);
    return impl_->call(&Stub::GetNode, request);
}

absl::StatusOr<v1::Node> Client::setNode(const v1::SetNodeRequest& request) {
    return impl_->call(&Stub::SetNode, request);
}

absl::StatusOr<v1::Operation> Client::drainNode(const std::string& name) {
    v1::DrainNodeRequest request;
    request.set_name(name);
    request.set_request_id(randomId());
    return impl_->call(&Stub::DrainNode, request);
}

absl::StatusOr<std::string> Client::inspectNode(const std::string& name) {
    v1::GetNodeRequest request;
    request.set_name(name);
    HS_ASSIGN_OR_RETURN(const v1::InspectResponse response, impl_->call(&Stub::InspectNode, request));
    return response.json();
}

absl::StatusOr<v1::ListImagesResponse> Client::listImages() {
    return impl_->callForAll(&Stub::ListImages, v1::ListImagesRequest());
}

absl::Status Client::removeImage(const std::string& name) {
    v1::RemoveImageRequest request;
    request.set_name(name);
    return impl_->call(&Stub::RemoveImage, request).status();
}

absl::StatusOr<v1::Operation> Client::createSlice(const v1::CreateSliceRequest& request) {
    v1::CreateSliceRequest identified = request;
    identified.set_request_id(randomId());
    return impl_->call(&Stub::CreateSlice, identified);
}

absl::StatusOr<v1::SlicePlan> Client::planSlice(const v1::CreateSliceRequest& request) {
    return impl_->call(&Stub::PlanSlice, request);
}

absl::StatusOr<v1::ListSlicesResponse> Client::listSlices() {
    return impl_->callForAll(&Stub::ListSlices, v1::ListSlicesRequest());
}

absl::StatusOr<v1::Slice> Client::getSlice(const std::string& name) {
    v1::GetSliceRequest request;
    request.set_name(name);
    return impl_->call(&Stub::GetSlice, request);
}

absl::StatusOr<v1::Slice> Client::renewSlice(const std::string& name, uint32_t lease_s) {
    v1::RenewSliceRequest request;
    request.set_name(name);
    request.set_lease_s(lease_s);
    return impl_->call(&Stub::RenewSlice, request);
}

absl::StatusOr<v1::Operation> Client::setSlice(v1::SetSliceRequest change) {
    change.set_request_id(randomId());
    return impl_->call(&Stub::SetSlice, change);
}

absl::StatusOr<v1::Operation> Client::setFrozen(const v1::SliverId& id, bool frozen) {
    v1::SetFrozenRequest request;
    *request.mutable_id() = id;
    request.set_frozen(frozen);
    request.set_request_id(randomId());
    return impl_->call(&Stub::SetFrozen, request);
}

absl::StatusOr<v1::Operation> Client::deleteSlice(const std::string& name) {
    v1::DeleteSliceRequest request;
    request.set_name(name);
    request.set_request_id(randomId());
    return impl_->call(&Stub::DeleteSlice, request);
}

absl::StatusOr<v1::ListSliversResponse> Client::listSlivers(const std::string& slice) {
    v1::ListSliversRequest request;
    request.set_slice(slice);
    return impl_->callForAll(&Stub::ListSlivers, request);
}

absl::StatusOr<v1::Sliver> Client::getSliver(const v1::SliverId& id) {
    v1::GetSliverRequest request;
    *request.mutable_id() = id;
    return impl_->call(&Stub::GetSliver, request);
}

absl::StatusOr<v1::Operation> Client::moveSliver(const v1::SliverId& id, const std::string& to_node) {
    v1::MoveSliverRequest request;
    *request.mutable_id() = id;
    request.set_to_node(to_node);
    request.set_request_id(randomId());
    return impl_->call(&Stub::MoveSliver, request);
}

absl::StatusOr<v1::ListBindingsResponse> Client::listBindings() {
    return impl_->callForAll(&Stub::ListBindings, v1::ListBindingsRequest());
}

absl::Status Client::watchBindings(const std::function<void()>& begins,
                                   const std::function<void(const v1::HomeBindingEvent&)>& heard) {
    constexpr std::chrono::milliseconds kPause{200};  // home agents come and go slowly
    for (;;) {
        const Impl::Asked asked = impl_->ask();
        CallContext context(impl_->cancellation, std::nullopt);
        const auto reader = asked.stub->WatchHomeBindings(context.get(), v1::WatchHomeBindingsRequest());
        begins();
        v1::HomeBindingEvent event;
        while (reader->Read(&event)) heard(event);
        const grpc::Status end = reader->Finish();
        const bool again =
            end.error_code() == grpc::StatusCode::ABORTED || impl_->turn(asked, end, *context.get(), true);
        if (!again || impl_->cancellation.waitFor(kPause)) return impl_->toStatus(asked, end);
    }
}

absl::StatusOr<v1::Operation> Client::watchOperation(const std::string& id, std::chrono::milliseconds timeout,
                                                     const std::function<void(const v1::Operation&)>& changed) {
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    v1::WatchOperationRequest request;
    request.set_id(id);
    absl::Status status;
    // A broken stream is asked for again: the controllers remember their operations over a restart.
    for (int attempt = 0; attempt <= kMaxReconnects; ++attempt) {
        const auto left = deadline - std::chrono::steady_clock::now();
        const Impl::Asked asked = impl_->ask();
        CallContext context(impl_->cancellation, std::chrono::duration_cast<std::chrono::milliseconds>(left));
        context.get()->set_wait_for_ready(!impl_->controllers.several());
        const auto reader = asked.stub->WatchOperation(context.get(), request);
        v1::Operation operation;
        while (reader->Read(&operation)) {
            attempt = 0;
            changed(operation);
            if (ended(operation)) return operation;
        }
        const grpc::Status end = reader->Finish();
        status = impl_->toStatus(asked, end);
        if (status.ok()) return internalError("the controller stopped reporting before the operation ended");
        if (status.code() != absl::StatusCode::kUnavailable) return status;
        impl_->turn(asked, end, *context.get(), true);
    }
    return status;
}

}  // namespace homeslice::ctl
