#include "ctl/client/client.h"

#include <cstdlib>
#include <utility>

#include "base/names.h"
#include "ctl/client/address.h"
#include "ctl/client/channel.h"
#include "pki/enrol/enrol.h"

namespace homeslice::ctl {
namespace {

using Stub = v1::ControllerService::Stub;

constexpr std::chrono::seconds kConnectWithin{10};
constexpr int kLargestAnswer = 64 << 20;
constexpr int kMaxReconnects = 10;

grpc::ChannelArguments channelArguments() {
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
    return arguments;
}

absl::Status checkNotExpired(const std::string& directory) {
    HS_ASSIGN_OR_RETURN(const pki::Credentials files, pki::readCredentials(directory));
    HS_ASSIGN_OR_RETURN(const pki::Certificate certificate, pki::Certificate::parse(files.certificate_pem));
    if (certificate.notAfter() > Utc::now()) return absl::OkStatus();
    return failedPrecondition("your certificate expired on " + formatUtc(certificate.notAfter()) +
                              ": remove the context, and add it again with a token of an administrator's");
}

// On a socket it is the file's owner and mode that protect.
absl::StatusOr<std::shared_ptr<grpc::Channel>> openChannel(const Endpoint& endpoint) {
    HS_ASSIGN_OR_RETURN(const std::string target, grpcTarget(endpoint.address));
    if (endpoint.credentials.empty()) {
        return grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), channelArguments());
    }
    HS_RETURN_IF_ERROR(checkNotExpired(endpoint.credentials));
    HS_ASSIGN_OR_RETURN(const auto credentials, tls::Credentials::open(endpoint.credentials));
    return credentials->channel(target, pki::kControllerName, channelArguments());
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
bool connected(grpc::Channel& channel) {
    const auto deadline = std::chrono::system_clock::now() + kConnectWithin;
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
    HS_ASSIGN_OR_RETURN(auto channel, openChannel(endpoint));
    if (!connected(*channel)) return notConnected(endpoint);
    if (!endpoint.credentials.empty()) renewIfDue(channel, endpoint.credentials);
    auto stub = v1::ControllerService::NewStub(channel);
    return std::unique_ptr<Client>(new Client(
        std::unique_ptr<Impl>(new Impl{endpoint.address, std::move(channel), std::move(stub), cancellation})));
}

absl::StatusOr<v1::ListNodesResponse> Client::listNodes() {
    return impl_->call(&Stub::ListNodes, v1::ListNodesRequest());
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
    return impl_->call(&Stub::ListImages, v1::ListImagesRequest());
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
    return impl_->call(&Stub::ListSlices, v1::ListSlicesRequest());
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
    return impl_->call(&Stub::ListSlivers, request);
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
    return impl_->call(&Stub::ListBindings, v1::ListBindingsRequest());
}

absl::StatusOr<v1::Operation> Client::watchOperation(const std::string& id, std::chrono::milliseconds timeout,
                                                     const std::function<void(const v1::Operation&)>& changed) {
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    v1::WatchOperationRequest request;
    request.set_id(id);
    absl::Status status;
    // A broken stream is asked for again: the controller remembers its operations over a restart.
    for (int attempt = 0; attempt <= kMaxReconnects; ++attempt) {
        const auto left = deadline - std::chrono::steady_clock::now();
        CallContext context(impl_->cancellation, std::chrono::duration_cast<std::chrono::milliseconds>(left));
        context.get()->set_wait_for_ready(true);
        const auto reader = impl_->stub->WatchOperation(context.get(), request);
        v1::Operation operation;
        while (reader->Read(&operation)) {
            changed(operation);
            if (ended(operation)) return operation;
        }
        status = impl_->toStatus(reader->Finish());
        if (status.ok()) return internalError("the controller stopped reporting before the operation ended");
        if (status.code() != absl::StatusCode::kUnavailable) return status;
    }
    return status;
}

}  // namespace homeslice::ctl
