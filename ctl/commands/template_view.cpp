#include "ctl/commands/template_view.h"

#include <fmt/format.h>

#include <cstring>

#include "base/ipv6.h"
#include "ctl/commands/views.h"
#include "spec/sliver_template.h"
#include "spec/wire/convert.h"

namespace homeslice::ctl {
namespace {

std::string portText(const v1::ExposedPort& port) {
    return std::to_string(port.port()) + (port.protocol() == v1::PROTOCOL_UDP ? "/udp" : "/tcp");
}

std::string sameText(const std::string& text) { return text; }

Value resourcesValue(const v1::Resources& resources) {
    return {{"cpu_millis", resources.cpu_millis()},
            {"memory_bytes", resources.memory_bytes()},
            {"pids", resources.pids()},
            {"cpu_reservation_millis", resources.cpu_reservation_millis()},
            {"cpu_weight", resources.cpu_weight()},
            {"cpuset", resources.cpuset()},
            {"memory_high_bytes", resources.memory_high_bytes()},
            {"swap_bytes", resources.swap_bytes()},
            {"io_weight", resources.io_weight()},
            {"io_read_bps", resources.io_read_bps()},
            {"io_write_bps", resources.io_write_bps()},
            {"io_read_iops", resources.io_read_iops()},
            {"io_write_iops", resources.io_write_iops()},
            {"network_egress_bps", resources.network_egress_bps()},
            {"network_ingress_bps", resources.network_ingress_bps()},
            {"disk_bytes", resources.disk_bytes()},
            {"disk_medium", resources.disk_medium() == v1::DISK_MEDIUM_MEMORY ? "memory" : "store"}};
}

Value fileValue(const v1::File& file) {
    return {{"path", file.path()}, {"size_bytes", file.content().size()}, {"mode", fmt::format("{:04o}", file.mode())}};
}

Value volumeValue(const v1::Volume& volume) {
    return {{"source", volume.source()}, {"target", volume.target()}, {"read_only", volume.read_only()}};
}

Value hostValue(const v1::HostEntry& host) {
    const auto address = Ipv6Address::fromBytes(host.address());
    return {{"name", host.name()}, {"address", address.ok() ? Value(address->toString()) : Value()}};
}

std::string balanceText(v1::Balance balance) {
    const auto known = wire::balanceOf(balance);
    return known.ok() ? toString(*known) : "unknown";
}

const char* restartText(v1::RestartWhen restart) {
    switch (restart) {
        case v1::RESTART_WHEN_ON_FAILURE:
            return "on-failure";
        case v1::RESTART_WHEN_ALWAYS:
            return "always";
        default:
            return "never";
    }
}

std::string signalText(uint32_t signal) {
    const char* name = ::sigabbrev_np(static_cast<int>(signal));
    return name == nullptr ? std::to_string(signal) : name;
}

Value healthValue(const v1::HealthCheck& health) {
    if (health.argv().empty()) return {};
    return {{"argv", listOf(health.argv(), sameText)},
            {"interval_ms", health.interval_ms()},
            {"timeout_ms", health.timeout_ms()},
            {"start_period_ms", health.start_period_ms()},
            {"failures", health.failures()}};
}

std::string textOf(const Value& object, const char* field) { return object.at(field).get<std::string>(); }

// One word for each element of a list of objects.
template <typename Word>
std::string joined(const Value& list, Word word) {
    std::string text;
    for (const Value& item : list) text += (text.empty() ? "" : ", ") + word(item);
    return text.empty() ? "-" : text;
}

std::string showWords(const Value& words) {
    return words.is_array() && !words.empty() ? words.dump(-1, ' ', false, Value::error_handler_t::replace) : "-";
}

std::string showFiles(const Value& files) {
    return joined(files, [](const Value& file) { return textOf(file, "path"); });
}

std::string showVolumes(const Value& volumes) {
    return joined(volumes, [](const Value& volume) {
        return textOf(volume, "source") + ":" + textOf(volume, "target") +
               (volume.at("read_only").get<bool>() ? ":ro" : "");
    });
}

std::string showHosts(const Value& hosts) {
    return joined(hosts, [](const Value& host) { return textOf(host, "name") + "=" + showPlain(host.at("address")); });
}

// Only what was asked for: a weight and a place that all slivers have are no news.
std::string showMedium(const Value& medium) { return medium == "memory" ? "memory" : "-"; }

std::string showBalance(const Value& balance) { return balance == "hash" ? "-" : showPlain(balance); }

std::string showRestart(const Value& restart) { return restart == "never" ? "-" : showPlain(restart); }

std::string showStop(const Value& stop) {
    const auto grace = stop.at("grace_ms").get<uint64_t>();
    const StopPolicy usual;
    if (textOf(stop, "signal") == "TERM" && grace == static_cast<uint64_t>(usual.grace.count())) return "-";
    return fmt::format("{}, then KILL after {:g} s", textOf(stop, "signal"), static_cast<double>(grace) / 1000);
}

}  // namespace

Value templateValue(const v1::SliverTemplate& base) {
    return {{"image", base.image()},
            {"image_digest", base.image_digest()},
            {"argv", listOf(base.argv(), sameText)},
            {"resources", resourcesValue(base.resources())},
            {"exposed", listOf(base.exposed(), portText)},
            {"env", listOf(base.env(), sameText)},
            {"user", base.user()},
            {"working_directory", base.working_directory()},
            {"hostname", base.hostname()},
            {"files", listOf(base.files(), fileValue)},
            {"volumes", listOf(base.volumes(), volumeValue)},
            {"restart", restartText(base.restart())},
            {"health_check", healthValue(base.health())},
            {"stop", {{"signal", signalText(base.stop().signal())}, {"grace_ms", base.stop().grace_ms()}}},
            {"hosts", listOf(base.hosts(), hostValue)},
            {"dns",
             {{"servers", listOf(base.resolver().servers(), sameText)},
              {"search", listOf(base.resolver().search(), sameText)}}},
            {"log", {{"max_bytes", base.log().max_bytes()}, {"files", base.log().files()}}},
            {"balance", balanceText(base.balance())}};
}

const std::vector<Column>& templateDetails() {
    static const std::vector<Column> kDetails{
        {.header = "command", .field = "argv", .show = showWords},
        {.header = "cpu reserve", .field = "/resources/cpu_reservation_millis", .show = showCpuMillis},
        {.header = "cpu weight", .field = "/resources/cpu_weight", .show = showLimit},
        {.header = "cpuset", .field = "/resources/cpuset"},
        {.header = "memory high", .field = "/resources/memory_high_bytes", .show = showLimitBytes},
        {.header = "swap", .field = "/resources/swap_bytes", .show = showLimitBytes},
        {.header = "io weight", .field = "/resources/io_weight", .show = showLimit},
        {.header = "io read/s", .field = "/resources/io_read_bps", .show = showLimitBytes},
        {.header = "io write/s", .field = "/resources/io_write_bps", .show = showLimitBytes},
        {.header = "io reads/s", .field = "/resources/io_read_iops", .show = showLimit},
        {.header = "io writes/s", .field = "/resources/io_write_iops", .show = showLimit},
        {.header = "net out", .field = "/resources/network_egress_bps", .show = showLimitBitRate},
        {.header = "net in", .field = "/resources/network_ingress_bps", .show = showLimitBitRate},
        {.header = "disk", .field = "/resources/disk_bytes", .show = showLimitBytes},
        {.header = "disk medium", .field = "/resources/disk_medium", .show = showMedium},
        {.header = "env", .field = "env"},
        {.header = "user", .field = "user"},
        {.header = "workdir", .field = "working_directory"},
        {.header = "hostname", .field = "hostname"},
        {.header = "files", .field = "files", .show = showFiles},
        {.header = "volumes", .field = "volumes", .show = showVolumes},
        {.header = "restart", .field = "restart", .show = showRestart},
        {.header = "health check", .field = "/health_check/argv", .show = showWords},
        {.header = "stop", .field = "stop", .show = showStop},
        {.header = "hosts", .field = "hosts", .show = showHosts},
        {.header = "dns", .field = "/dns/servers"},
        {.header = "dns search", .field = "/dns/search"},
        {.header = "balance", .field = "balance", .show = showBalance}};
    return kDetails;
}

}  // namespace homeslice::ctl
