#include "controller/api/convert.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/status.h"

namespace homeslice::controller {
namespace {

constexpr uint32_t kMaxPort = 65535;
constexpr uint32_t kMaxIndex = 65535;
constexpr size_t kMaxReason = 1024;

// The API's values are fixed by the wire; the core's are not bound to them.
constexpr std::array<std::pair<SliverState, v1::SliverState>, 9> kStates{{
    {SliverState::pending, v1::SLIVER_STATE_PENDING},
    {SliverState::preparing, v1::SLIVER_STATE_PREPARING},
    {SliverState::starting, v1::SLIVER_STATE_STARTING},
    {SliverState::running, v1::SLIVER_STATE_RUNNING},
    {SliverState::stopping, v1::SLIVER_STATE_STOPPING},
    {SliverState::stopped, v1::SLIVER_STATE_STOPPED},
    {SliverState::exited, v1::SLIVER_STATE_EXITED},
    {SliverState::failed, v1::SLIVER_STATE_FAILED},
    {SliverState::deleting, v1::SLIVER_STATE_DELETING},
}};

v1::SliverState toState(SliverState state) {
    for (const auto& [ours, theirs] : kStates) {
        if (ours == state) return theirs;
    }
    return v1::SLIVER_STATE_UNSPECIFIED;
}

SliverState fromState(v1::SliverState state) {
    for (const auto& [ours, theirs] : kStates) {
        if (theirs == state) return ours;
    }
    return SliverState::pending;
}

v1::OperationState toState(OperationState state) {
    switch (state) {
        case OperationState::running:
            return v1::OPERATION_STATE_RUNNING;
        case OperationState::done:
            return v1::OPERATION_STATE_DONE;
        case OperationState::partial:
            return v1::OPERATION_STATE_PARTIAL;
        case OperationState::failed:
            return v1::OPERATION_STATE_FAILED;
    }
    return v1::OPERATION_STATE_UNSPECIFIED;
}

v1::DesiredRun toRun(DesiredRun run) {
    switch (run) {
        case DesiredRun::running:
            return v1::DESIRED_RUN_RUNNING;
        case DesiredRun::prepared:
            return v1::DESIRED_RUN_PREPARED;
        case DesiredRun::stopped:
            return v1::DESIRED_RUN_STOPPED;
    }
    return v1::DESIRED_RUN_UNSPECIFIED;
}

void toProto(const SliverId& id, v1::SliverId& out) {
    out.set_slice(id.slice);
    out.set_index(id.index);
}

void toProto(const Resources& resources, v1::Resources& out) {
    out.set_cpu_millis(resources.cpu_millis);
    out.set_memory_bytes(resources.memory_bytes);
    out.set_pids(resources.pids);
}

void toProto(const ExposedPort& port, v1::ExposedPort& out) {
    out.set_protocol(static_cast<v1::Protocol>(port.protocol));
    out.set_port(port.port);
}

void toProto(const DesiredSliver& sliver, v1::DesiredSliver& out) {
    toProto(sliver.id, *out.mutable_sliver());
    out.set_generation(sliver.generation);
    out.set_run(toRun(sliver.run));
    out.set_image(sliver.image);
    out.set_image_digest(sliver.image_digest);
    for (const std::string& argument : sliver.argv) out.add_argv(argument);
    toProto(sliver.resources, *out.mutable_resources());
    for (const ExposedPort& port : sliver.exposed) toProto(port, *out.add_exposed());
    out.set_home_address(sliver.home_address.toBytes());
    out.set_slice_address(sliver.slice_address.toBytes());
    if (!sliver.disk_source) return;
    out.mutable_disk_source()->set_address(sliver.disk_source->address.toBytes());
    out.mutable_disk_source()->set_api_port(sliver.disk_source->api_port);
    out.mutable_disk_source()->set_generation(sliver.disk_source->generation);
}

// One line for a person, whatever the node put in it. (That it is UTF-8 protobuf has checked.)
std::string printable(const std::string& text) {
    std::string result = text.substr(0, kMaxReason);
    std::replace_if(
        result.begin(), result.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
    return result;
}

absl::StatusOr<ExposedPort> fromPort(const v1::ExposedPort& port) {
    if (port.port() == 0 || port.port() > kMaxPort) {
        return invalidArgument(std::to_string(port.port()) + " is not a port: use 1 to 65535");
    }
    const bool known = port.protocol() == v1::PROTOCOL_TCP || port.protocol() == v1::PROTOCOL_UDP;
    if (!known) return invalidArgument("an exposed port is of protocol tcp or udp");
    return ExposedPort{static_cast<uint8_t>(port.protocol()), static_cast<uint16_t>(port.port())};
}

SliverReport fromSliverStatus(const v1::SliverStatus& status) {
    SliverReport report;
    report.id = fromSliverId(status.sliver());
    report.generation = status.generation();
    report.state = fromState(status.state());
    report.reason = printable(status.reason());
    report.exit_status = status.exit_status();
    report.running_since_us = status.running_since_us();
    report.image_ready = status.image_ready();
    report.memory_bytes = status.memory_bytes();
    return report;
}

}  // namespace

grpc::Status toGrpc(const absl::Status& status) {
    if (status.ok()) return grpc::Status::OK;
    return {static_cast<grpc::StatusCode>(status.code()), messageOf(status)};
}

absl::StatusOr<Node> fromHello(const v1::NodeHello& hello) {
    Node node;
    HS_ASSIGN_OR_RETURN_CTX(node.care_of_address, Ipv6Address::fromBytes(hello.care_of_address()), "care-of address");
    if (hello.api_port() == 0 || hello.api_port() > kMaxPort) return invalidArgument("the API port is not a port");
    node.name = hello.name();
    node.api_port = static_cast<uint16_t>(hello.api_port());
    node.version = hello.version();
    node.home_agent = hello.home_agent();
    node.cpus = hello.cpus();
    node.memory_bytes = hello.memory_bytes();
    node.kernel = hello.kernel();
    node.boot_id = hello.boot_id();
    return node;
}

NodeReport fromNodeStatus(const v1::NodeStatus& status) {
    NodeReport report;
    report.desired_revision = status.desired_revision();
    for (const v1::SliverStatus& sliver : status.slivers()) {
        const uint32_t index = sliver.sliver().index();
        if (index >= 1 && index <= kMaxIndex) report.slivers.push_back(fromSliverStatus(sliver));
    }
    return report;
}

absl::StatusOr<CreateSliceRequest> fromCreateSlice(const v1::CreateSliceRequest& request) {
    CreateSliceRequest result;
    result.name = request.name();
    result.image = request.image();
    result.where.node_count = request.node_count();
    result.where.nodes.assign(request.nodes().begin(), request.nodes().end());
    result.where.sliver_count = request.sliver_count();
    result.resources = {request.resources().cpu_millis(), request.resources().memory_bytes(),
                        request.resources().pids()};
    for (const v1::ExposedPort& port : request.exposed()) {
        HS_ASSIGN_OR_RETURN(const ExposedPort checked, fromPort(port));
        result.exposed.push_back(checked);
    }
    result.lease_s = request.lease_s();
    result.argv.assign(request.argv().begin(), request.argv().end());
    result.request_id = request.request_id();
    return result;
}

SliverId fromSliverId(const v1::SliverId& id) { return {id.slice(), id.index()}; }

void toDesiredState(uint64_t revision, const Picture& picture, v1::DesiredState& out) {
    out.set_revision(revision);
    for (const auto& [id, sliver] : picture.slivers) toProto(sliver, *out.add_slivers());
    for (const HomeAgent& agent : picture.home_agents) {
        v1::HomeAgent& added = *out.add_home_agents();
        added.set_address(agent.address.toBytes());
        added.set_api_port(agent.api_port);
    }
    out.set_home_prefix(picture.home_prefix.toString());
    for (const Ipv6Address& address : picture.node_addresses) out.add_node_addresses(address.toBytes());
}

void toProto(const NodeView& view, v1::Node& out) {
    out.set_name(view.node.name);
    out.set_ready(view.not_ready.empty());
    out.set_reason(view.not_ready);
    out.set_care_of_address(view.node.care_of_address.toBytes());
    out.set_home_agent(view.node.home_agent);
    out.set_version(view.node.version);
    out.set_cpus(view.node.cpus);
    out.set_memory_bytes(view.node.memory_bytes);
    out.set_kernel(view.node.kernel);
    out.set_slivers(view.slivers);
    out.set_last_seen_us(view.node.last_seen_us);
    out.set_api_port(view.node.api_port);
}

void toProto(const ImageView& view, v1::Image& out) {
    out.set_name(view.image.name);
    out.set_digest(view.image.digest);
    out.set_size_bytes(view.image.size_bytes);
    out.set_created_us(view.image.created_us);
    out.set_slices(view.slices);
}

void toProto(const SliceView& view, v1::Slice& out) {
    out.set_name(view.slice.name);
    out.set_image(view.slice.image);
    out.set_image_digest(view.slice.image_digest);
    out.set_prefix(view.prefix.toString());
    out.set_address(view.address.toBytes());
    toProto(view.slice.resources, *out.mutable_resources());
    for (const ExposedPort& port : view.slice.exposed) toProto(port, *out.add_exposed());
    for (const std::string& argument : view.slice.argv) out.add_argv(argument);
    out.set_created_us(view.slice.created_us);
    out.set_lease_end_us(view.slice.lease_end_us);
    out.set_slivers(view.slivers);
    out.set_slivers_running(view.running);
    out.set_deleting(view.slice.deleting);
}

void toProto(const SliverView& view, v1::Sliver& out) {
    toProto(view.id, *out.mutable_id());
    out.set_node(view.node);
    out.set_state(toState(view.state));
    out.set_reason(view.reason);
    out.set_generation(view.generation);
    out.set_home_address(view.home_address.toBytes());
    out.set_exit_status(view.exit_status);
    out.set_running_since_us(view.running_since_us);
    out.set_memory_bytes(view.memory_bytes);
    out.set_moving_from(view.moving_from);
}

void toProto(const Operation& operation, v1::Operation& out) {
    out.set_id(operation.id);
    out.set_kind(toString(operation.kind));
    out.set_subject(subjectText(operation));
    out.set_state(toState(operation.state));
    out.set_done(operation.done);
    out.set_total(operation.total);
    out.set_step(operation.step);
    for (const OperationFailure& failure : operation.failures) {
        v1::OperationFailure& added = *out.add_failures();
        toProto(failure.sliver, *added.mutable_sliver());
        added.set_node(failure.node);
        added.set_reason(failure.reason);
    }
    out.set_started_us(operation.started_us);
    out.set_ended_us(operation.ended_us);
}

}  // namespace homeslice::controller
