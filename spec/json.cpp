#include "spec/json.h"

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/status.h"

namespace homeslice {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

constexpr std::array<std::pair<DesiredRun, const char*>, 4> kRuns{{{DesiredRun::running, "running"},
                                                                   {DesiredRun::frozen, "frozen"},
                                                                   {DesiredRun::prepared, "prepared"},
                                                                   {DesiredRun::stopped, "stopped"}}};
constexpr std::array<std::pair<RestartWhen, const char*>, 3> kRestarts{
    {{RestartWhen::never, "never"}, {RestartWhen::on_failure, "on-failure"}, {RestartWhen::always, "always"}}};
constexpr std::array<std::pair<DiskMedium, const char*>, 2> kMedia{
    {{DiskMedium::store, "store"}, {DiskMedium::memory, "memory"}}};

template <typename Names, typename Value>
const char* nameIn(const Names& names, Value value) {
    for (const auto& [known, name] : names) {
        if (known == value) return name;
    }
    return "unknown";
}

template <typename Value, size_t N>
absl::StatusOr<Value> valueIn(const std::array<std::pair<Value, const char*>, N>& names, const std::string& text) {
    for (const auto& [value, name] : names) {
        if (text == name) return value;
    }
    return invalidArgument("'" + text + "' is unknown here");
}

// A field that an earlier version did not write keeps its default.
template <typename T>
void take(const json& object, const char* name, T& value) {
    if (const auto found = object.find(name); found != object.end()) found->get_to(value);
}

void take(const json& object, const char* name, milliseconds& value) {
    milliseconds::rep count = value.count();
    take(object, name, count);
    value = milliseconds(count);
}

// Calls `use` with the object or the array of that name, if there is one.
template <typename Use>
void within(const json& object, const char* name, Use use) {
    if (const auto found = object.find(name); found != object.end()) use(*found);
}

json toValue(const Resources& resources) {
    return {{"cpu_millis", resources.cpu_millis},
            {"cpu_reservation_millis", resources.cpu_reservation_millis},
            {"cpu_weight", resources.cpu_weight},
            {"cpuset", resources.cpuset},
            {"memory_bytes", resources.memory_bytes},
            {"memory_high_bytes", resources.memory_high_bytes},
            {"swap_bytes", resources.swap_bytes},
            {"pids", resources.pids},
            {"io_weight", resources.io_weight},
            {"io_read_bps", resources.io_read_bps},
            {"io_write_bps", resources.io_write_bps},
            {"io_read_iops", resources.io_read_iops},
            {"io_write_iops", resources.io_write_iops},
            {"network_egress_bps", resources.network_egress_bps},
            {"network_ingress_bps", resources.network_ingress_bps},
            {"disk_bytes", resources.disk_bytes},
            {"disk_medium", nameIn(kMedia, resources.disk_medium)}};
}

absl::Status takeResources(const json& object, Resources& resources) {
    take(object, "cpu_millis", resources.cpu_millis);
    take(object, "cpu_reservation_millis", resources.cpu_reservation_millis);
    take(object, "cpu_weight", resources.cpu_weight);
    take(object, "cpuset", resources.cpuset);
    take(object, "memory_bytes", resources.memory_bytes);
    take(object, "memory_high_bytes", resources.memory_high_bytes);
    take(object, "swap_bytes", resources.swap_bytes);
    take(object, "pids", resources.pids);
    take(object, "io_weight", resources.io_weight);
    take(object, "io_read_bps", resources.io_read_bps);
    take(object, "io_write_bps", resources.io_write_bps);
    take(object, "io_read_iops", resources.io_read_iops);
    take(object, "io_write_iops", resources.io_write_iops);
    take(object, "network_egress_bps", resources.network_egress_bps);
    take(object, "network_ingress_bps", resources.network_ingress_bps);
    take(object, "disk_bytes", resources.disk_bytes);
    std::string medium = nameIn(kMedia, resources.disk_medium);
    take(object, "disk_medium", medium);
    HS_ASSIGN_OR_RETURN_CTX(resources.disk_medium, valueIn(kMedia, medium), "disk_medium");
    return absl::OkStatus();
}

json toValue(const HealthCheck& health) {
    return {{"argv", health.argv},
            {"interval_ms", health.interval.count()},
            {"timeout_ms", health.timeout.count()},
            {"start_period_ms", health.start_period.count()},
            {"failures", health.failures}};
}

void takeHealth(const json& object, HealthCheck& health) {
    take(object, "argv", health.argv);
    take(object, "interval_ms", health.interval);
    take(object, "timeout_ms", health.timeout);
    take(object, "start_period_ms", health.start_period);
    take(object, "failures", health.failures);
}

json toValue(const SliverTemplate& base) {
    json exposed = json::array();
    for (const ExposedPort& port : base.exposed) exposed.push_back({{"protocol", port.protocol}, {"port", port.port}});
    json files = json::array();
    for (const File& file : base.files) {
        // Contents need not be UTF-8, as JSON's strings must.
        files.push_back({{"path", file.path},
                         {"content", std::vector<uint8_t>(file.content.begin(), file.content.end())},
                         {"mode", file.mode}});
    }
    json volumes = json::array();
    for (const Volume& volume : base.volumes) {
        volumes.push_back({{"source", volume.source}, {"target", volume.target}, {"read_only", volume.read_only}});
    }
    json hosts = json::array();
    for (const HostEntry& host : base.hosts) {
        hosts.push_back({{"address", host.address.toString()}, {"name", host.name}});
    }
    return {{"image", base.image},
            {"image_digest", base.image_digest},
            {"argv", base.argv},
            {"env", base.env},
            {"user", base.user},
            {"working_directory", base.working_directory},
            {"hostname", base.hostname},
            {"resources", toValue(base.resources)},
            {"exposed", exposed},
            {"files", files},
            {"volumes", volumes},
            {"restart", nameIn(kRestarts, base.restart)},
            {"health", toValue(base.health)},
            {"stop", {{"signal", base.stop.signal}, {"grace_ms", base.stop.grace.count()}}},
            {"hosts", hosts},
            {"resolver", {{"servers", base.resolver.servers}, {"search", base.resolver.search}}},
            {"log", {{"max_bytes", base.log.max_bytes}, {"files", base.log.files}}},
            {"balance", toString(base.balance)}};
}

void takeExposed(const json& list, SliverTemplate& base) {
    for (const json& port : list) base.exposed.push_back({.protocol = port.at("protocol"), .port = port.at("port")});
}

void takeFiles(const json& list, SliverTemplate& base) {
    for (const json& file : list) {
        const auto content = file.at("content").get<std::vector<uint8_t>>();
        base.files.push_back(
            {.path = file.at("path"), .content = {content.begin(), content.end()}, .mode = file.at("mode")});
    }
}

void takeVolumes(const json& list, SliverTemplate& base) {
    for (const json& volume : list) {
        base.volumes.push_back(
            {.source = volume.at("source"), .target = volume.at("target"), .read_only = volume.at("read_only")});
    }
}

absl::Status takeHosts(const json& object, SliverTemplate& base) {
    for (const json& host : object.value("hosts", json::array())) {
        HostEntry& entry = base.hosts.emplace_back();
        HS_ASSIGN_OR_RETURN(entry.address, Ipv6Address::parse(host.at("address")));
        entry.name = host.at("name");
    }
    return absl::OkStatus();
}

absl::StatusOr<SliverTemplate> templateFrom(const json& object) {
    SliverTemplate base;
    base.image = object.at("image");
    base.image_digest = object.at("image_digest");
    take(object, "argv", base.argv);
    take(object, "env", base.env);
    take(object, "user", base.user);
    take(object, "working_directory", base.working_directory);
    take(object, "hostname", base.hostname);
    HS_RETURN_IF_ERROR(takeResources(object.value("resources", json::object()), base.resources));
    within(object, "exposed", [&](const json& list) { takeExposed(list, base); });
    within(object, "files", [&](const json& list) { takeFiles(list, base); });
    within(object, "volumes", [&](const json& list) { takeVolumes(list, base); });
    std::string restart = nameIn(kRestarts, base.restart);
    take(object, "restart", restart);
    HS_ASSIGN_OR_RETURN_CTX(base.restart, valueIn(kRestarts, restart), "restart");
    within(object, "health", [&](const json& health) { takeHealth(health, base.health); });
    within(object, "stop", [&](const json& stop) {
        take(stop, "signal", base.stop.signal);
        take(stop, "grace_ms", base.stop.grace);
    });
    HS_RETURN_IF_ERROR(takeHosts(object, base));
    within(object, "resolver", [&](const json& resolver) {
        take(resolver, "servers", base.resolver.servers);
        take(resolver, "search", base.resolver.search);
    });
    within(object, "log", [&](const json& log) {
        take(log, "max_bytes", base.log.max_bytes);
        take(log, "files", base.log.files);
    });
    const std::string balance = object.value("balance", toString(base.balance));
    const auto known = parseBalance(balance);
    if (!known) return dataLoss("balance: unknown value " + balance);
    base.balance = *known;
    return base;
}

absl::StatusOr<SliverSpec> specFrom(const json& object) {
    SliverSpec spec;
    spec.id = {.slice = object.at("slice"), .index = object.at("index")};
    spec.generation = object.at("generation");
    HS_ASSIGN_OR_RETURN_CTX(spec.run, valueIn(kRuns, object.at("run").get<std::string>()), "run");
    HS_ASSIGN_OR_RETURN(spec.base, templateFrom(object.at("template")));
    HS_ASSIGN_OR_RETURN(spec.home_address, Ipv6Address::parse(object.at("home_address")));
    HS_ASSIGN_OR_RETURN(spec.slice_address, Ipv6Address::parse(object.at("slice_address")));
    spec.weight = object.value("weight", spec.weight);
    spec.draining = object.value("draining", spec.draining);
    spec.home_address_grant = object.value("home_address_grant", "");
    spec.slice_address_grant = object.value("slice_address_grant", "");
    if (const auto source = object.find("disk_source"); source != object.end()) {
        DiskSource& disk_source = spec.disk_source.emplace();
        HS_ASSIGN_OR_RETURN(disk_source.node, Ipv6Address::parse(source->at("node")));
        disk_source.api_port = source->at("api_port");
        disk_source.generation = source->at("generation");
    }
    return spec;
}

// Arguments may hold bytes that are no UTF-8; they are replaced rather than refused.
std::string dump(const json& object) { return object.dump(-1, ' ', false, json::error_handler_t::replace); }

template <typename Parse>
auto parseWith(const std::string& what, const std::string& text, Parse parse) -> decltype(parse(json())) {
    try {
        return parse(json::parse(text));
    } catch (const json::exception& error) {
        return invalidArgument(what + ": " + error.what());
    }
}

}  // namespace

std::string toJson(const SliverTemplate& base) { return dump(toValue(base)); }

absl::StatusOr<SliverTemplate> parseSliverTemplate(const std::string& text) {
    return parseWith("sliver template", text, templateFrom);
}

std::string toJson(const SliverSpec& spec) {
    json object = {{"slice", spec.id.slice},
                   {"index", spec.id.index},
                   {"generation", spec.generation},
                   {"run", nameIn(kRuns, spec.run)},
                   {"template", toValue(spec.base)},
                   {"home_address", spec.home_address.toString()},
                   {"slice_address", spec.slice_address.toString()},
                   {"weight", spec.weight},
                   {"draining", spec.draining},
                   {"home_address_grant", spec.home_address_grant},
                   {"slice_address_grant", spec.slice_address_grant}};
    if (spec.disk_source) {
        object["disk_source"] = {{"node", spec.disk_source->node.toString()},
                                 {"api_port", spec.disk_source->api_port},
                                 {"generation", spec.disk_source->generation}};
    }
    return dump(object);
}

absl::StatusOr<SliverSpec> parseSliverSpec(const std::string& text) {
    return parseWith("sliver record", text, specFrom);
}

}  // namespace homeslice
