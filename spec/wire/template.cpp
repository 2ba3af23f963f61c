#include "base/status.h"
#include "spec/wire/convert.h"

namespace homeslice::wire {
namespace {

using std::chrono::milliseconds;

template <typename Repeated>
std::vector<std::string> stringsOf(const Repeated& strings) {
    return {strings.begin(), strings.end()};
}

uint32_t countOf(milliseconds duration) { return static_cast<uint32_t>(duration.count()); }

absl::StatusOr<DiskMedium> mediumOf(v1::DiskMedium medium) {
    switch (medium) {
        case v1::DISK_MEDIUM_UNSPECIFIED:
        case v1::DISK_MEDIUM_STORE:
            return DiskMedium::store;
        case v1::DISK_MEDIUM_MEMORY:
            return DiskMedium::memory;
        default:
            return invalidArgument("disk_medium: unknown value " + std::to_string(medium));
    }
}

absl::StatusOr<RestartWhen> restartOf(v1::RestartWhen restart) {
    switch (restart) {
        case v1::RESTART_WHEN_UNSPECIFIED:
        case v1::RESTART_WHEN_NEVER:
            return RestartWhen::never;
        case v1::RESTART_WHEN_ON_FAILURE:
            return RestartWhen::on_failure;
        case v1::RESTART_WHEN_ALWAYS:
            return RestartWhen::always;
        default:
            return invalidArgument("restart: unknown value " + std::to_string(restart));
    }
}

v1::RestartWhen toMessage(RestartWhen restart) {
    switch (restart) {
        case RestartWhen::never:
            return v1::RESTART_WHEN_NEVER;
        case RestartWhen::on_failure:
            return v1::RESTART_WHEN_ON_FAILURE;
        case RestartWhen::always:
            return v1::RESTART_WHEN_ALWAYS;
    }
    return v1::RESTART_WHEN_UNSPECIFIED;
}

constexpr std::pair<Balance, v1::Balance> kBalances[] = {{Balance::hash, v1::BALANCE_HASH},
                                                         {Balance::round_robin, v1::BALANCE_ROUND_ROBIN},
                                                         {Balance::least_load, v1::BALANCE_LEAST_LOAD},
                                                         {Balance::nearest, v1::BALANCE_NEAREST}};

// The kernel's numbers are the API's; check() refuses what is neither TCP nor UDP.
absl::StatusOr<ExposedPort> exposedOf(const v1::ExposedPort& message) {
    ExposedPort exposed;
    HS_ASSIGN_OR_RETURN(exposed.port, portOf("exposed port", message.port()));
    const bool known = message.protocol() == v1::PROTOCOL_TCP || message.protocol() == v1::PROTOCOL_UDP;
    if (!known) return invalidArgument("exposed port: of protocol tcp or udp only");
    exposed.protocol = static_cast<uint8_t>(message.protocol());
    return exposed;
}

HealthCheck healthCheckOf(const v1::HealthCheck& message) {
    return {.argv = stringsOf(message.argv()),
            .interval = milliseconds(message.interval_ms()),
            .timeout = milliseconds(message.timeout_ms()),
            .start_period = milliseconds(message.start_period_ms()),
            .failures = message.failures()};
}

absl::StatusOr<StopPolicy> stopOf(const v1::StopPolicy& message) {
    constexpr uint32_t kMaxSignal = 64;  // SIGRTMAX
    if (message.signal() > kMaxSignal) {
        return invalidArgument("stop signal: " + std::to_string(message.signal()) + " is no signal");
    }
    return StopPolicy{.signal = static_cast<int>(message.signal()), .grace = milliseconds(message.grace_ms())};
}

absl::Status fillLists(const v1::SliverTemplate& message, SliverTemplate& base) {
    for (const v1::ExposedPort& port : message.exposed()) {
        HS_ASSIGN_OR_RETURN(base.exposed.emplace_back(), exposedOf(port));
    }
    for (const v1::File& file : message.files()) {
        base.files.push_back({.path = file.path(), .content = file.content(), .mode = file.mode()});
    }
    for (const v1::Volume& volume : message.volumes()) {
        base.volumes.push_back({.source = volume.source(), .target = volume.target(), .read_only = volume.read_only()});
    }
    for (const v1::HostEntry& host : message.hosts()) {
        HostEntry& entry = base.hosts.emplace_back();
        HS_ASSIGN_OR_RETURN(entry.address, unicastOf("host " + host.name(), host.address()));
        entry.name = host.name();
    }
    return absl::OkStatus();
}

void addLists(const SliverTemplate& base, v1::SliverTemplate& message) {
    for (const ExposedPort& exposed : base.exposed) {
        v1::ExposedPort& port = *message.add_exposed();
        port.set_protocol(static_cast<v1::Protocol>(exposed.protocol));
        port.set_port(exposed.port);
    }
    for (const File& file : base.files) {
        v1::File& added = *message.add_files();
        added.set_path(file.path);
        added.set_content(file.content);
        added.set_mode(file.mode);
    }
    for (const Volume& volume : base.volumes) {
        v1::Volume& added = *message.add_volumes();
        added.set_source(volume.source);
        added.set_target(volume.target);
        added.set_read_only(volume.read_only);
    }
    for (const HostEntry& host : base.hosts) {
        v1::HostEntry& added = *message.add_hosts();
        added.set_address(host.address.toBytes());
        added.set_name(host.name);
    }
}

void setPolicies(const SliverTemplate& base, v1::SliverTemplate& message) {
    message.set_restart(toMessage(base.restart));
    v1::HealthCheck& health = *message.mutable_health();
    health.mutable_argv()->Assign(base.health.argv.begin(), base.health.argv.end());
    health.set_interval_ms(countOf(base.health.interval));
    health.set_timeout_ms(countOf(base.health.timeout));
    health.set_start_period_ms(countOf(base.health.start_period));
    health.set_failures(base.health.failures);
    message.mutable_stop()->set_signal(static_cast<uint32_t>(base.stop.signal));
    message.mutable_stop()->set_grace_ms(countOf(base.stop.grace));
    v1::Resolver& resolver = *message.mutable_resolver();
    resolver.mutable_servers()->Assign(base.resolver.servers.begin(), base.resolver.servers.end());
    resolver.mutable_search()->Assign(base.resolver.search.begin(), base.resolver.search.end());
    message.mutable_log()->set_max_bytes(base.log.max_bytes);
    message.mutable_log()->set_files(base.log.files);
}

}  // namespace

absl::StatusOr<Balance> balanceOf(v1::Balance balance) {
    if (balance == v1::BALANCE_UNSPECIFIED) return Balance::hash;
    for (const auto& [ours, theirs] : kBalances) {
        if (theirs == balance) return ours;
    }
    return invalidArgument("balance: unknown value " + std::to_string(balance));
}

v1::Balance toMessage(Balance balance) {
    for (const auto& [ours, theirs] : kBalances) {
        if (ours == balance) return theirs;
    }
    return v1::BALANCE_UNSPECIFIED;
}

absl::StatusOr<Resources> changed(Resources resources, const v1::Resources& change) {
    if (change.has_cpu_millis()) resources.cpu_millis = change.cpu_millis();
    if (change.has_cpu_reservation_millis()) resources.cpu_reservation_millis = change.cpu_reservation_millis();
    if (change.has_cpu_weight()) resources.cpu_weight = change.cpu_weight();
    if (change.has_cpuset()) resources.cpuset = change.cpuset();
    if (change.has_memory_bytes()) resources.memory_bytes = change.memory_bytes();
    if (change.has_memory_high_bytes()) resources.memory_high_bytes = change.memory_high_bytes();
    if (change.has_swap_bytes()) resources.swap_bytes = change.swap_bytes();
    if (change.has_pids()) resources.pids = change.pids();
    if (change.has_io_weight()) resources.io_weight = change.io_weight();
    if (change.has_io_read_bps()) resources.io_read_bps = change.io_read_bps();
    if (change.has_io_write_bps()) resources.io_write_bps = change.io_write_bps();
    if (change.has_io_read_iops()) resources.io_read_iops = change.io_read_iops();
    if (change.has_io_write_iops()) resources.io_write_iops = change.io_write_iops();
    if (change.has_network_egress_bps()) resources.network_egress_bps = change.network_egress_bps();
    if (change.has_network_ingress_bps()) resources.network_ingress_bps = change.network_ingress_bps();
    if (change.has_disk_bytes()) resources.disk_bytes = change.disk_bytes();
    if (change.has_disk_medium()) {
        HS_ASSIGN_OR_RETURN(resources.disk_medium, mediumOf(change.disk_medium()));
    }
    HS_RETURN_IF_ERROR(check(resources));
    return resources;
}

v1::Resources toMessage(const Resources& resources) {
    v1::Resources message;
    message.set_cpu_millis(resources.cpu_millis);
    message.set_cpu_reservation_millis(resources.cpu_reservation_millis);
    message.set_cpu_weight(resources.cpu_weight);
    message.set_cpuset(resources.cpuset);
    message.set_memory_bytes(resources.memory_bytes);
    message.set_memory_high_bytes(resources.memory_high_bytes);
    message.set_swap_bytes(resources.swap_bytes);
    message.set_pids(resources.pids);
    message.set_io_weight(resources.io_weight);
    message.set_io_read_bps(resources.io_read_bps);
    message.set_io_write_bps(resources.io_write_bps);
    message.set_io_read_iops(resources.io_read_iops);
    message.set_io_write_iops(resources.io_write_iops);
    message.set_network_egress_bps(resources.network_egress_bps);
    message.set_network_ingress_bps(resources.network_ingress_bps);
    message.set_disk_bytes(resources.disk_bytes);
    message.set_disk_medium(resources.disk_medium == DiskMedium::memory ? v1::DISK_MEDIUM_MEMORY
                                                                        : v1::DISK_MEDIUM_STORE);
    return message;
}

absl::StatusOr<SliverTemplate> templateOf(const v1::SliverTemplate& message) {
    SliverTemplate base;
    base.image = message.image();
    base.image_digest = message.image_digest();
    base.argv = stringsOf(message.argv());
    base.env = stringsOf(message.env());
    base.user = message.user();
    base.working_directory = message.working_directory();
    base.hostname = message.hostname();
    HS_ASSIGN_OR_RETURN(base.resources, changed({}, message.resources()));
    HS_RETURN_IF_ERROR(fillLists(message, base));
    HS_ASSIGN_OR_RETURN(base.restart, restartOf(message.restart()));
    if (message.has_health()) base.health = healthCheckOf(message.health());
    if (message.has_stop()) {
        HS_ASSIGN_OR_RETURN(base.stop, stopOf(message.stop()));
    }
    base.resolver = {.servers = stringsOf(message.resolver().servers()),
                     .search = stringsOf(message.resolver().search())};
    if (message.has_log()) base.log = {.max_bytes = message.log().max_bytes(), .files = message.log().files()};
    HS_ASSIGN_OR_RETURN(base.balance, balanceOf(message.balance()));
    HS_RETURN_IF_ERROR(check(base));
    return base;
}

v1::SliverTemplate toMessage(const SliverTemplate& base) {
    v1::SliverTemplate message;
    message.set_image(base.image);
    message.set_image_digest(base.image_digest);
    message.mutable_argv()->Assign(base.argv.begin(), base.argv.end());
    message.mutable_env()->Assign(base.env.begin(), base.env.end());
    message.set_user(base.user);
    message.set_working_directory(base.working_directory);
    message.set_hostname(base.hostname);
    *message.mutable_resources() = toMessage(base.resources);
    addLists(base, message);
    setPolicies(base, message);
    message.set_balance(toMessage(base.balance));
    return message;
}

}  // namespace homeslice::wire
