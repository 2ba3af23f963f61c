#include "controller/api/convert.h"

#include <algorithm>

#include "base/status.h"
#include "spec/wire/convert.h"

namespace homeslice::controller {
namespace {

constexpr uint32_t kMaxIndex = 65535;
constexpr size_t kMaxReason = 1024;

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
        case OperationState::cancelled:
            return v1::OPERATION_STATE_CANCELLED;
    }
    return v1::OPERATION_STATE_UNSPECIFIED;
}

// One line for a person, whatever the node put in it. (That it is UTF-8 protobuf has checked.)
std::string printable(const std::string& text) {
    std::string result = text.substr(0, kMaxReason);
    std::replace_if(
        result.begin(), result.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
    return result;
}

// Absent when nothing is said; INVALID_ARGUMENT for a value of a later version.
absl::StatusOr<std::optional<OnNodeLoss>> fromOnNodeLoss(v1::OnNodeLoss on_node_loss) {
    switch (on_node_loss) {
        case v1::ON_NODE_LOSS_UNSPECIFIED:
            return std::nullopt;
        case v1::ON_NODE_LOSS_REPLACE:
            return OnNodeLoss::replace;
        case v1::ON_NODE_LOSS_STAY:
            return OnNodeLoss::stay;
        default:
            return invalidArgument("what is to happen when a node is lost is unknown");
    }
}

absl::StatusOr<PlacementRules> fromRules(const v1::PlacementRules& rules) {
    PlacementRules result;
    for (const std::string& text : rules.where()) {
        HS_ASSIGN_OR_RETURN(LabelTerm term, parseLabelTerm(text));
        result.where.push_back(std::move(term));
    }
    result.spread_over = rules.spread_over();
    result.pack = rules.pack();
    result.apart_from.assign(rules.apart_from().begin(), rules.apart_from().end());
    HS_ASSIGN_OR_RETURN(const std::optional<OnNodeLoss> on_node_loss, fromOnNodeLoss(rules.on_node_loss()));
    result.on_node_loss = on_node_loss.value_or(OnNodeLoss::replace);
    return result;
}

void toProto(const PlacementRules& rules, v1::PlacementRules& out) {
    for (const LabelTerm& term : rules.where) out.add_where(term.toString());
    out.set_spread_over(rules.spread_over);
    out.set_pack(rules.pack);
    for (const std::string& slice : rules.apart_from) out.add_apart_from(slice);
    const bool stays = rules.on_node_loss == OnNodeLoss::stay;
    out.set_on_node_loss(stays ? v1::ON_NODE_LOSS_STAY : v1::ON_NODE_LOSS_REPLACE);
}

SliverReport fromSliverStatus(const v1::SliverStatus& status) {
    SliverReport report;
    report.id = fromSliverId(status.sliver());
    report.generation = status.generation();
    report.state = wire::stateOf(status.state());
    report.reason = printable(status.reason());
    report.exit_status = status.exit_status();
    report.running_since_us = status.running_since_us();
    report.image_ready = status.image_ready();
    report.memory_bytes = status.memory_bytes();
    report.health = wire::healthOf(status.health());
    report.restarts = status.restarts();
    report.stale = status.stale();
    return report;
}

}  // namespace

absl::StatusOr<Node> fromHello(const v1::NodeHello& hello) {
    Node node;
    HS_ASSIGN_OR_RETURN_CTX(node.care_of_address, Ipv6Address::fromBytes(hello.care_of_address()), "care-of address");
    HS_ASSIGN_OR_RETURN(node.api_port, wire::portOf("API port", hello.api_port()));
    node.name = hello.name();
    node.version = hello.version();
    node.home_agent = hello.home_agent();
    node.correspondent = hello.correspondent();
    node.cpus = hello.cpus();
    node.memory_bytes = hello.memory_bytes();
    node.kernel = hello.kernel();
    node.boot_id = hello.boot_id();
    return node;
}

NodeReport fromNodeStatus(const v1::NodeStatus& status) {
    NodeReport report;
    report.desired_revision = status.desired_revision();
    report.bindings_refused = status.bindings_refused();
    report.binding_refusal = status.binding_refusal();
    for (const v1::SliverStatus& sliver : status.slivers()) {
        const uint32_t index = sliver.sliver().index();
        if (index >= 1 && index <= kMaxIndex) report.slivers.push_back(fromSliverStatus(sliver));
    }
    report.changes_only = status.changes_only();
    for (const v1::SliverId& id : status.gone()) report.gone.push_back(fromSliverId(id));
    return report;
}

SetNodeRequest fromSetNode(const v1::SetNodeRequest& request) {
    SetNodeRequest result;
    result.name = request.name();
    result.labels.insert(request.labels().begin(), request.labels().end());
    result.remove_labels.assign(request.remove_labels().begin(), request.remove_labels().end());
    if (request.has_cordoned()) result.cordoned = request.cordoned();
    return result;
}

absl::StatusOr<CreateSliceRequest> fromCreateSlice(const v1::CreateSliceRequest& request) {
    CreateSliceRequest result;
    result.name = request.name();
    HS_ASSIGN_OR_RETURN(result.base, wire::templateOf(request.base()));
    result.where.node_count = request.node_count();
    result.where.nodes.assign(request.nodes().begin(), request.nodes().end());
    result.where.all_nodes = request.all_nodes();
    result.where.sliver_count = request.sliver_count();
    HS_ASSIGN_OR_RETURN(result.where.rules, fromRules(request.rules()));
    result.lease_s = request.lease_s();
    result.request_id = request.request_id();
    result.reservation = request.reservation();
    return result;
}

absl::StatusOr<SliceChange> fromSetSlice(const v1::SetSliceRequest& request) {
    SliceChange change;
    const v1::Resources& resources = request.resources();
    const bool limits = resources.ByteSizeLong() != 0;
    if (limits) change.resources = [resources](const Resources& now) { return wire::changed(now, resources); };
    if (request.has_balance()) {
        HS_ASSIGN_OR_RETURN(change.balance, wire::balanceOf(request.balance()));
    }
    HS_ASSIGN_OR_RETURN(change.on_node_loss, fromOnNodeLoss(request.on_node_loss()));
    for (const v1::ShareChange& share : request.shares()) {
        ShareChange& added = change.shares.emplace_back();
        added.index = share.index();
        if (share.has_weight()) {
            HS_ASSIGN_OR_RETURN(added.weight, wire::weightOf(share.weight()));
        }
        if (share.has_draining()) added.draining = share.draining();
    }
    if (!limits && !change.balance && change.shares.empty() && !change.on_node_loss)
        return invalidArgument("the request says nothing that is to change");
    return change;
}

SliverId fromSliverId(const v1::SliverId& id) { return {id.slice(), id.index()}; }

void toDesiredState(uint64_t revision, const Picture& picture, v1::DesiredState& out) {
    out.set_revision(revision);
    out.set_since(picture.since);
    for (const auto& [id, holding] : picture.slivers) {
        v1::DesiredSliver& added = *out.add_slivers();
        added = wire::toMessage(holding.spec);
        added.set_disk_reader(holding.disk_reader);
    }
    for (const SliverId& id : picture.gone) *out.add_gone() = wire::toMessage(id);
    for (const HomeAgent& agent : picture.home_agents) {
        v1::HomeAgent& added = *out.add_home_agents();
        added.set_address(agent.address.toBytes());
        added.set_api_port(agent.api_port);
    }
    out.set_home_prefix(picture.home_prefix.toString());
    out.set_heartbeat_ms(static_cast<uint32_t>(picture.heartbeat.count()));
}

v1::NodeList toMessage(const NodeList& list) {
    v1::NodeList message;
    for (const KnownNode& node : list.nodes) {
        v1::EnrolledNode& added = *message.add_nodes();
        added.set_name(node.enrolled.name);
        added.set_enrolment(node.enrolled.enrolment);
        if (!node.care_of_address.isUnspecified()) added.set_address(node.care_of_address.toBytes());
        added.set_home_agent(node.enrolled.home_agent);
    }
    for (const std::string& name : list.gone) message.add_gone(name);
    return message;
}

void toProto(const NodeView& view, v1::Node& out) {
    out.set_name(view.node.name);
    out.set_ready(view.not_ready.empty());
    out.set_reason(view.not_ready);
    out.set_care_of_address(view.node.care_of_address.toBytes());
    out.set_home_agent(view.node.home_agent);
    out.set_correspondent(view.node.correspondent);
    out.set_version(view.node.version);
    out.set_cpus(view.node.cpus);
    out.set_memory_bytes(view.node.memory_bytes);
    out.set_kernel(view.node.kernel);
    out.set_slivers(view.slivers);
    out.set_last_seen_us(view.node.last_seen_us);
    out.set_api_port(view.node.api_port);
    out.mutable_labels()->insert(view.node.labels.begin(), view.node.labels.end());
    out.set_cordoned(view.node.cordoned);
    out.set_cpu_reserved_millis(view.cpu_reserved_millis);
    out.set_bindings_refused(view.refusals.count);
    out.set_binding_refusal(view.refusals.last);
}

void toProto(const Plan& plan, v1::SlicePlan& out) {
    uint32_t index = 0;
    for (const Place& place : plan.places) {
        v1::SlicePlan::Place& added = *out.add_places();
        added.set_index(++index);
        added.set_node(place.node);
        added.set_reason(place.reason);
    }
    for (const Exclusion& exclusion : plan.exclusions) {
        v1::SlicePlan::Exclusion& added = *out.add_exclusions();
        added.set_reason(exclusion.reason);
        for (const std::string& node : exclusion.nodes) added.add_nodes(node);
    }
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
    *out.mutable_base() = wire::toMessage(view.slice.base);
    out.set_prefix(view.prefix.toString());
    out.set_address(view.address.toBytes());
    out.set_created_us(view.slice.created_us);
    out.set_lease_end_us(view.slice.lease_end_us);
    out.set_slivers(view.slivers);
    out.set_slivers_running(view.running);
    out.set_deleting(view.slice.deleting);
    out.set_suspended(view.slice.suspended);
    if (view.slice.suspended) out.set_delete_us(view.delete_us);
    toProto(view.slice.rules, *out.mutable_rules());
    out.set_owner(view.slice.owner);
    out.mutable_members()->Assign(view.slice.members.begin(), view.slice.members.end());
    out.set_reservation(view.slice.reservation);
}

void toProto(const RenewedSlice& renewed, v1::Slice& out) {
    toProto(renewed.view, out);
    out.set_lease_note(renewed.note);
}

void toProto(const SliverView& view, v1::Sliver& out) {
    *out.mutable_id() = wire::toMessage(view.id);
    out.set_node(view.node);
    out.set_state(wire::toMessage(view.state));
    out.set_reason(view.reason);
    out.set_generation(view.generation);
    out.set_home_address(view.home_address.toBytes());
    out.set_exit_status(view.exit_status);
    out.set_running_since_us(view.running_since_us);
    out.set_memory_bytes(view.memory_bytes);
    out.set_moving_from(view.moving_from);
    out.set_health(wire::toMessage(view.health));
    out.set_restarts(view.restarts);
    out.set_frozen(view.frozen);
    out.set_weight(view.weight);
    out.set_draining(view.draining);
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
        *added.mutable_sliver() = wire::toMessage(failure.sliver);
        added.set_node(failure.node);
        added.set_reason(failure.reason);
    }
    out.set_started_us(operation.started_us);
    out.set_ended_us(operation.ended_us);
}

void toProto(const User& user, v1::User& out) {
    out.set_name(user.name);
    out.set_role(user.role == UserRole::admin ? v1::ROLE_ADMIN : v1::ROLE_USER);
    out.set_created_us(user.created_us);
    out.mutable_ssh_keys()->Assign(user.ssh_keys.begin(), user.ssh_keys.end());
    out.set_enrolled(!user.enrolment.empty());
    v1::Quota& quota = *out.mutable_quota();
    if (user.quota.slivers) quota.set_slivers(static_cast<uint32_t>(*user.quota.slivers));
    if (user.quota.cpu_millis) quota.set_cpu_millis(*user.quota.cpu_millis);
    if (user.quota.memory_bytes) quota.set_memory_bytes(*user.quota.memory_bytes);
    if (user.quota.disk_bytes) quota.set_disk_bytes(*user.quota.disk_bytes);
}

void toProto(const UserView& view, v1::User& out) {
    toProto(view.user, out);
    v1::Usage& usage = *out.mutable_usage();
    usage.set_slivers(static_cast<uint32_t>(view.usage.slivers));
    usage.set_cpu_millis(view.usage.cpu_millis);
    usage.set_memory_bytes(view.usage.memory_bytes);
    usage.set_disk_bytes(view.usage.disk_bytes);
}

}  // namespace homeslice::controller
