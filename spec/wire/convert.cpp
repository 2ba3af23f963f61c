#include "spec/wire/convert.h"

#include <array>
#include <limits>
#include <utility>

#include "base/names.h"
#include "base/status.h"

namespace homeslice::wire {
namespace {

constexpr uint32_t kMaxIndex = 65535;

// The API's values are fixed by the wire; ours are not bound to them.
constexpr std::array<std::pair<SliverState, v1::SliverState>, 10> kStates{{
    {SliverState::pending, v1::SLIVER_STATE_PENDING},
    {SliverState::preparing, v1::SLIVER_STATE_PREPARING},
    {SliverState::starting, v1::SLIVER_STATE_STARTING},
    {SliverState::running, v1::SLIVER_STATE_RUNNING},
    {SliverState::frozen, v1::SLIVER_STATE_FROZEN},
    {SliverState::stopping, v1::SLIVER_STATE_STOPPING},
    {SliverState::stopped, v1::SLIVER_STATE_STOPPED},
    {SliverState::exited, v1::SLIVER_STATE_EXITED},
    {SliverState::failed, v1::SLIVER_STATE_FAILED},
    {SliverState::deleting, v1::SLIVER_STATE_DELETING},
}};

constexpr std::array<std::pair<Health, v1::Health>, 4> kHealths{{
    {Health::none, v1::HEALTH_NONE},
    {Health::starting, v1::HEALTH_STARTING},
    {Health::healthy, v1::HEALTH_HEALTHY},
    {Health::unhealthy, v1::HEALTH_UNHEALTHY},
}};

constexpr std::array<std::pair<DesiredRun, v1::DesiredRun>, 4> kRuns{{
    {DesiredRun::running, v1::DESIRED_RUN_RUNNING},
    {DesiredRun::frozen, v1::DESIRED_RUN_FROZEN},
    {DesiredRun::prepared, v1::DESIRED_RUN_PREPARED},
    {DesiredRun::stopped, v1::DESIRED_RUN_STOPPED},
}};

template <typename Pairs, typename Ours, typename Theirs>
Theirs theirsOf(const Pairs& pairs, Ours value, Theirs otherwise) {
    for (const auto& [ours, theirs] : pairs) {
        if (ours == value) return theirs;
    }
    return otherwise;
}

template <typename Pairs, typename Ours, typename Theirs>
Ours oursOf(const Pairs& pairs, Theirs value, Ours otherwise) {
    for (const auto& [ours, theirs] : pairs) {
        if (theirs == value) return ours;
    }
    return otherwise;
}

absl::StatusOr<DesiredRun> runOf(v1::DesiredRun run) {
    for (const auto& [ours, theirs] : kRuns) {
        if (theirs == run) return ours;
    }
    return invalidArgument("run: unknown value " + std::to_string(run));
}

absl::StatusOr<DiskSource> diskSourceOf(const v1::DiskSource& message) {
    DiskSource source;
    HS_ASSIGN_OR_RETURN(source.node, unicastOf("disk source", message.address()));
    HS_ASSIGN_OR_RETURN(source.api_port, portOf("disk source", message.api_port()));
    source.generation = message.generation();
    return source;
}

absl::StatusOr<std::string> grantOf(const std::string& grant) {
    constexpr size_t kMaxGrant = 128;
    if (grant.size() > kMaxGrant || grant.find_first_not_of("0123456789abcdef") != std::string::npos)
        return invalidArgument("address grant: malformed");
    return grant;
}

absl::Status fillSpec(const v1::DesiredSliver& message, SliverSpec& spec) {
    spec.generation = message.generation();
    HS_ASSIGN_OR_RETURN(spec.run, runOf(message.run()));
    HS_ASSIGN_OR_RETURN(spec.base, templateOf(message.base()));
    if (spec.base.image_digest.empty()) return invalidArgument("image digest: missing");
    HS_ASSIGN_OR_RETURN(spec.home_address, unicastOf("home address", message.home_address()));
    HS_ASSIGN_OR_RETURN(spec.slice_address, unicastOf("slice address", message.slice_address()));
    if (message.weight() != 0) {
        HS_ASSIGN_OR_RETURN(spec.weight, weightOf(message.weight()));
    }
    spec.draining = message.draining();
    HS_ASSIGN_OR_RETURN(spec.home_address_grant, grantOf(message.home_address_grant()));
    HS_ASSIGN_OR_RETURN(spec.slice_address_grant, grantOf(message.slice_address_grant()));
    if (message.has_disk_source()) {
        HS_ASSIGN_OR_RETURN(spec.disk_source, diskSourceOf(message.disk_source()));
    }
    return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SliverId> sliverIdOf(const v1::SliverId& message) {
    HS_RETURN_IF_ERROR(checkName("slice name", message.slice()));
    if (message.index() == 0 || message.index() > kMaxIndex) {
        return invalidArgument("sliver index " + std::to_string(message.index()) + ": not in 1 to 65535");
    }
    return SliverId{.slice = message.slice(), .index = message.index()};
}

v1::SliverId toMessage(const SliverId& id) {
    v1::SliverId message;
    message.set_slice(id.slice);
    message.set_index(id.index);
    return message;
}

absl::StatusOr<SliverSpec> specOf(const v1::DesiredSliver& message) {
    SliverSpec spec;
    HS_ASSIGN_OR_RETURN(spec.id, sliverIdOf(message.sliver()));
    HS_RETURN_IF_ERROR_CTX(fillSpec(message, spec), "sliver " + spec.id.toString());
    return spec;
}

v1::DesiredSliver toMessage(const SliverSpec& spec) {
    v1::DesiredSliver message;
    *message.mutable_sliver() = toMessage(spec.id);
    message.set_generation(spec.generation);
    message.set_run(theirsOf(kRuns, spec.run, v1::DESIRED_RUN_UNSPECIFIED));
    *message.mutable_base() = toMessage(spec.base);
    message.set_home_address(spec.home_address.toBytes());
    message.set_slice_address(spec.slice_address.toBytes());
    message.set_weight(spec.weight);
    message.set_draining(spec.draining);
    message.set_home_address_grant(spec.home_address_grant);
    message.set_slice_address_grant(spec.slice_address_grant);
    if (spec.disk_source) {
        v1::DiskSource& source = *message.mutable_disk_source();
        source.set_address(spec.disk_source->node.toBytes());
        source.set_api_port(spec.disk_source->api_port);
        source.set_generation(spec.disk_source->generation);
    }
    return message;
}

SliverState stateOf(v1::SliverState state) { return oursOf(kStates, state, SliverState::pending); }
v1::SliverState toMessage(SliverState state) { return theirsOf(kStates, state, v1::SLIVER_STATE_UNSPECIFIED); }
Health healthOf(v1::Health health) { return oursOf(kHealths, health, Health::none); }
v1::Health toMessage(Health health) { return theirsOf(kHealths, health, v1::HEALTH_UNSPECIFIED); }

absl::StatusOr<Ipv6Address> unicastOf(const std::string& what, const std::string& raw) {
    HS_ASSIGN_OR_RETURN_CTX(const Ipv6Address address, Ipv6Address::fromBytes(raw), what);
    if (address.isUnspecified() || address.isMulticast()) {
        return invalidArgument(what + ": " + address.toString() + " is no unicast address");
    }
    return address;
}

absl::StatusOr<uint16_t> weightOf(uint32_t weight) {
    if (weight == 0 || weight > kMaxWeight) {
        return invalidArgument("weight " + std::to_string(weight) + ": not in 1 to " + std::to_string(kMaxWeight));
    }
    return static_cast<uint16_t>(weight);
}

absl::StatusOr<uint16_t> portOf(const std::string& what, uint32_t port) {
    if (port == 0 || port > std::numeric_limits<uint16_t>::max()) {
        return invalidArgument(what + ": port " + std::to_string(port) + " is not in 1 to 65535");
    }
    return static_cast<uint16_t>(port);
}

}  // namespace homeslice::wire
