#include "ctl/commands/views.h"

#include <map>

#include "base/clock.h"
#include "base/ipv4.h"
#include "base/nat.h"
#include "ctl/commands/template_view.h"

namespace homeslice::ctl {
namespace {

Value addressValue(const std::string& raw) {
    const auto address = Ipv6Address::fromBytes(raw);
    return address.ok() ? Value(addressText(*address)) : Value();
}

// A care-of address as the node itself has it.
Value careOfValue(const std::string& raw) {
    const auto address = Ipv6Address::fromBytes(raw);
    return address.ok() ? Value(addressText(beforeNat(*address))) : Value();
}

bool isBehindNat(const std::string& raw) {
    const auto address = Ipv6Address::fromBytes(raw);
    return address.ok() && homeslice::isBehindNat(*address);
}

Value timeValue(int64_t micros) { return micros == 0 ? Value() : Value(formatUtc(fromUnixMicros(micros))); }

// SLIVER_STATE_RUNNING is "running"; a state of a newer controller keeps its number.
Value enumValue(const std::string& name, const std::string& prefix, int number) {
    if (!name.starts_with(prefix)) return std::to_string(number);
    std::string word = name.substr(prefix.size());
    for (char& c : word) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return word;
}

// No check is nothing to tell.
std::string showHealth(const Value& health) { return health == "none" ? "-" : showPlain(health); }

Value failureValue(const v1::OperationFailure& failure) {
    const bool about_sliver = !failure.sliver().slice().empty();
    return {{"sliver", about_sliver ? nameOf(failure.sliver()) : ""},
            {"node", failure.node()},
            {"reason", failure.reason()}};
}

Value labelsValue(const v1::Node& node) {
    const std::map<std::string, std::string> sorted(node.labels().begin(), node.labels().end());
    Value labels = Value::object();
    for (const auto& [key, value] : sorted) labels[key] = value;
    return labels;
}

// "rack=r1,site=x".
std::string showLabels(const Value& labels) {
    std::string text;
    for (const auto& [key, value] : labels.items()) {
        text += (text.empty() ? "" : ",") + key + "=" + value.get<std::string>();
    }
    return text.empty() ? "-" : text;
}

Value rulesValue(const v1::PlacementRules& rules) {
    return {{"where", rules.where()},
            {"spread_over", rules.spread_over()},
            {"pack", rules.pack()},
            {"apart_from", rules.apart_from()},
            {"on_node_loss", rules.on_node_loss() == v1::ON_NODE_LOSS_STAY ? "stay" : "replace"}};
}

// What becomes of it: "active", "ending" in its lease's last day, "suspended" after that, "deleting".
std::string stateOf(const v1::Slice& slice) {
    if (slice.deleting()) return "deleting";
    if (slice.suspended()) return "suspended";
    const auto left = fromUnixMicros(slice.lease_end_us()) - Utc::now();
    return left < std::chrono::hours(24) ? "ending" : "active";
}

}  // namespace

std::string nameOf(const v1::SliverId& id) { return id.slice() + "/" + std::to_string(id.index()); }

Value nodeValue(const v1::Node& node) {
    return {{"name", node.name()},
            {"ready", node.ready()},
            {"reason", node.reason()},
            {"care_of_address", careOfValue(node.care_of_address())},
            {"behind_nat", isBehindNat(node.care_of_address())},
            {"home_agent", node.home_agent()},
            {"correspondent", node.correspondent()},
            {"bindings_refused", node.bindings_refused()},
            {"binding_refusal", node.binding_refusal()},
            {"slivers", node.slivers()},
            {"cpus", node.cpus()},
            {"memory_bytes", node.memory_bytes()},
            {"last_seen", timeValue(node.last_seen_us())},
            {"version", node.version()},
            {"kernel", node.kernel()},
            {"api_port", node.api_port()},
            {"cordoned", node.cordoned()},
            {"labels", labelsValue(node)},
            {"cpu_reserved_millis", node.cpu_reserved_millis()}};
}

const std::vector<Column>& nodeColumns() {
    static const std::vector<Column> kColumns{
        {.header = "node", .field = "name"},
        {.header = "ready", .field = "ready"},
        {.header = "care-of address", .field = "care_of_address"},
        {.header = "behind NAT", .field = "behind_nat", .wide_only = true},
        {.header = "home agent", .field = "home_agent"},
        {.header = "correspondent", .field = "correspondent", .wide_only = true},
        {.header = "slivers", .field = "slivers"},
        {.header = "cordoned", .field = "cordoned"},
        {.header = "labels", .field = "labels", .show = showLabels},
        {.header = "cpus", .field = "cpus"},
        {.header = "reserved", .field = "cpu_reserved_millis", .show = showCpuMillis, .wide_only = true},
        {.header = "memory", .field = "memory_bytes", .show = showBytes},
        {.header = "seen", .field = "last_seen", .show = showAge},
        {.header = "version", .field = "version", .wide_only = true},
        {.header = "kernel", .field = "kernel", .wide_only = true},
        {.header = "api port", .field = "api_port", .wide_only = true},
        {.header = "bindings refused", .field = "bindings_refused", .wide_only = true, .only_if_any = true},
        {.header = "binding refusal", .field = "binding_refusal", .wide_only = true, .only_if_any = true},
        {.header = "reason", .field = "reason"}};
    return kColumns;
}

Value planValue(const v1::SlicePlan& plan) {
    Value places = Value::array();
    for (const v1::SlicePlan::Place& place : plan.places()) {
        places.push_back({{"index", place.index()}, {"node", place.node()}, {"reason", place.reason()}});
    }
    Value exclusions = Value::array();
    for (const v1::SlicePlan::Exclusion& exclusion : plan.exclusions()) {
        exclusions.push_back({{"reason", exclusion.reason()}, {"nodes", exclusion.nodes()}});
    }
    return {{"places", places}, {"exclusions", exclusions}};
}

const std::vector<Column>& placeColumns() {
    static const std::vector<Column> kColumns{{.header = "sliver", .field = "index"},
                                              {.header = "node", .field = "node"},
                                              {.header = "because", .field = "reason"}};
    return kColumns;
}

Value imageValue(const v1::Image& image) {
    return {{"name", image.name()},
            {"digest", image.digest()},
            {"size_bytes", image.size_bytes()},
            {"created", timeValue(image.created_us())},
            {"slices", image.slices()}};
}

const std::vector<Column>& imageColumns() {
    static const std::vector<Column> kColumns{{.header = "image", .field = "name"},
                                              {.header = "size", .field = "size_bytes", .show = showBytes},
                                              {.header = "slices", .field = "slices"},
                                              {.header = "age", .field = "created", .show = showAge},
                                              {.header = "digest", .field = "digest", .wide_only = true}};
    return kColumns;
}

Value sliceValue(const v1::Slice& slice) {
    Value value{{"name", slice.name()},
                {"prefix", slice.prefix()},
                {"address", addressValue(slice.address())},
                {"slivers", slice.slivers()},
                {"slivers_running", slice.slivers_running()},
                {"created", timeValue(slice.created_us())},
                {"lease_end", timeValue(slice.lease_end_us())},
                {"deleting", slice.deleting()},
                {"state", stateOf(slice)},
                {"delete", timeValue(slice.delete_us())},
                {"rules", rulesValue(slice.rules())},
                {"owner", slice.owner()},
                {"reservation", slice.reservation()},
                {"members", Value(std::vector<std::string>(slice.members().begin(), slice.members().end()))}};
    value.update(templateValue(slice.base()));
    return value;
}

Value totalsValue(const v1::ListSliversResponse& slivers) {
    uint64_t memory_bytes = 0;
    uint64_t restarts = 0;
    std::map<v1::SliverState, uint32_t> states;
    uint32_t unhealthy = 0;
    for (const v1::Sliver& sliver : slivers.slivers()) {
        memory_bytes += sliver.memory_bytes();
        restarts += sliver.restarts();
        states[sliver.state()] += 1;
        if (sliver.health() == v1::HEALTH_UNHEALTHY) unhealthy += 1;
    }
    return {{"running", states[v1::SLIVER_STATE_RUNNING]},
            {"frozen", states[v1::SLIVER_STATE_FROZEN]},
            {"exited", states[v1::SLIVER_STATE_EXITED]},
            {"failed", states[v1::SLIVER_STATE_FAILED]},
            {"unhealthy", unhealthy},
            {"restarts", restarts},
            {"memory_bytes", memory_bytes}};
}

const std::vector<Column>& sliceColumns() {
    static const std::vector<Column> kColumns{
        {.header = "slice", .field = "name"},
        {.header = "image", .field = "image"},
        {.header = "state", .field = "state"},
        {.header = "running", .field = "slivers_running"},
        {.header = "slivers", .field = "slivers"},
        {.header = "owner", .field = "owner"},
        {.header = "home address", .field = "address"},
        {.header = "exposed", .field = "exposed"},
        {.header = "age", .field = "created", .show = showAge},
        {.header = "lease ends", .field = "lease_end", .show = showAge},
        {.header = "members", .field = "members", .wide_only = true},
        {.header = "home prefix", .field = "prefix", .wide_only = true},
        {.header = "cpus", .field = "/resources/cpu_millis", .show = showCpuMillis, .wide_only = true},
        {.header = "memory", .field = "/resources/memory_bytes", .show = showLimitBytes, .wide_only = true},
        {.header = "pids", .field = "/resources/pids", .show = showLimit, .wide_only = true},
        {.header = "deleted", .field = "delete", .show = showAge, .wide_only = true},
        {.header = "on node loss", .field = "/rules/on_node_loss", .wide_only = true},
        {.header = "reservation", .field = "reservation", .wide_only = true, .only_if_any = true}};
    return kColumns;
}

const std::vector<Column>& sliceDetails() {
    static const std::vector<Column> kDetails = [] {
        std::vector<Column> details = sliceColumns();
        for (const Column& column : templateDetails()) details.push_back(column);
        details.push_back({.header = "frozen", .field = "/totals/frozen", .show = showLimit});
        details.push_back({.header = "exited", .field = "/totals/exited", .show = showLimit});
        details.push_back({.header = "failed", .field = "/totals/failed", .show = showLimit});
        details.push_back({.header = "unhealthy", .field = "/totals/unhealthy", .show = showLimit});
        details.push_back({.header = "restarts", .field = "/totals/restarts", .show = showLimit});
        details.push_back({.header = "memory in use", .field = "/totals/memory_bytes", .show = showLimitBytes});
        for (size_t i = sliceColumns().size(); i < details.size(); ++i) details[i].only_if_any = true;
        return details;
    }();
    return kDetails;
}

Value sliverValue(const v1::Sliver& sliver) {
    // One that was restarted tells how its command ended last.
    const bool exited = sliver.state() == v1::SLIVER_STATE_EXITED || sliver.restarts() > 0;
    return {{"id", nameOf(sliver.id())},
            {"slice", sliver.id().slice()},
            {"index", sliver.id().index()},
            {"node", sliver.node()},
            {"state", enumValue(v1::SliverState_Name(sliver.state()), "SLIVER_STATE_", sliver.state())},
            {"reason", sliver.reason()},
            {"home_address", addressValue(sliver.home_address())},
            {"generation", sliver.generation()},
            {"exit_status", exited ? Value(sliver.exit_status()) : Value()},
            {"running_since", timeValue(sliver.running_since_us())},
            {"memory_bytes", sliver.memory_bytes()},
            {"moving_from", sliver.moving_from()},
            {"health", enumValue(v1::Health_Name(sliver.health()), "HEALTH_", sliver.health())},
            {"restarts", sliver.restarts()},
            {"frozen", sliver.frozen()},
            {"weight", sliver.weight()},
            {"draining", sliver.draining()}};
}

const std::vector<Column>& sliverColumns() {
    static const std::vector<Column> kColumns{
        {.header = "sliver", .field = "id"},
        {.header = "node", .field = "node"},
        {.header = "state", .field = "state"},
        {.header = "home address", .field = "home_address"},
        {.header = "memory", .field = "memory_bytes", .show = showBytes},
        {.header = "running for", .field = "running_since", .show = showAge},
        {.header = "health", .field = "health", .show = showHealth, .wide_only = true},
        {.header = "restarts", .field = "restarts", .wide_only = true},
        {.header = "generation", .field = "generation", .wide_only = true},
        {.header = "exit status", .field = "exit_status", .wide_only = true},
        {.header = "moving from", .field = "moving_from", .wide_only = true},
        {.header = "weight", .field = "weight", .wide_only = true},
        {.header = "draining", .field = "draining", .wide_only = true},
        {.header = "reason", .field = "reason"}};
    return kColumns;
}

Value bindingValue(const v1::HomeBinding& binding) {
    return {{"home_address", addressValue(binding.home_address())},
            {"care_of_address", careOfValue(binding.care_of_address())},
            {"behind_nat", isBehindNat(binding.care_of_address())},
            {"slice", binding.slice()},
            {"sliver_index", binding.sliver_index()},
            {"sliver", binding.slice() + "/" + std::to_string(binding.sliver_index())},
            {"node", binding.node()},
            {"home_agent", binding.home_agent()},
            {"in_charge", binding.in_charge()},
            {"state", binding.draining() ? "draining" : "active"},
            {"priority", binding.priority()},
            {"weight", binding.weight()},
            {"binding_id", binding.binding_id()},
            {"sequence", binding.sequence()},
            {"generation", binding.generation()},
            {"lifetime_s", binding.lifetime_s()},
            {"remaining_s", binding.remaining_s()},
            {"registered", timeValue(binding.registered_us())},
            {"forwarded_packets", binding.forwarded_packets()},
            {"forwarded_bytes", binding.forwarded_bytes()},
            {"round_trip_us", binding.round_trip_us() == 0 ? Value() : Value(binding.round_trip_us())}};
}

const std::vector<Column>& bindingColumns() {
    static const std::vector<Column> kColumns{{.header = "home address", .field = "home_address"},
                                              {.header = "care-of address", .field = "care_of_address"},
                                              {.header = "behind NAT", .field = "behind_nat", .wide_only = true},
                                              {.header = "sliver", .field = "sliver"},
                                              {.header = "node", .field = "node"},
                                              {.header = "state", .field = "state"},
                                              {.header = "age", .field = "registered", .show = showAge},
                                              {.header = "lifetime left", .field = "remaining_s", .show = showSeconds},
                                              {.header = "packets", .field = "forwarded_packets"},
                                              {.header = "bytes", .field = "forwarded_bytes", .show = showBytes},
                                              {.header = "home agent", .field = "home_agent", .wide_only = true},
                                              {.header = "in charge", .field = "in_charge", .wide_only = true},
                                              {.header = "binding id", .field = "binding_id", .wide_only = true},
                                              {.header = "priority", .field = "priority", .wide_only = true},
                                              {.header = "weight", .field = "weight", .wide_only = true},
                                              {.header = "generation", .field = "generation", .wide_only = true},
                                              {.header = "sequence", .field = "sequence", .wide_only = true},
                                              {.header = "round trip us", .field = "round_trip_us", .wide_only = true}};
    return kColumns;
}

Value operationValue(const v1::Operation& operation) {
    const bool ended = operation.ended_us() != 0;
    return {{"id", operation.id()},
            {"kind", operation.kind()},
            {"subject", operation.subject()},
            {"state", enumValue(v1::OperationState_Name(operation.state()), "OPERATION_STATE_", operation.state())},
            {"done", operation.done()},
            {"total", operation.total()},
            {"step", operation.step()},
            {"failures", listOf(operation.failures(), failureValue)},
            {"started", timeValue(operation.started_us())},
            {"ended", timeValue(operation.ended_us())},
            {"duration_ms", ended ? Value((operation.ended_us() - operation.started_us()) / 1000) : Value()}};
}

const std::vector<Column>& operationColumns() {
    static const std::vector<Column> kColumns{{.header = "operation", .field = "id"},
                                              {.header = "kind", .field = "kind"},
                                              {.header = "subject", .field = "subject"},
                                              {.header = "state", .field = "state"},
                                              {.header = "done", .field = "done"},
                                              {.header = "of", .field = "total"},
                                              {.header = "began", .field = "started", .show = showAge},
                                              {.header = "ended", .field = "ended", .show = showAge},
                                              {.header = "step", .field = "step"}};
    return kColumns;
}

const std::vector<Column>& failureColumns() {
    static const std::vector<Column> kColumns{{.header = "sliver", .field = "sliver"},
                                              {.header = "node", .field = "node"},
                                              {.header = "reason", .field = "reason"}};
    return kColumns;
}

}  // namespace homeslice::ctl
