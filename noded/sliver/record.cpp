#include "noded/sliver/record.h"

#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/log.h"
#include "base/names.h"
#include "base/status.h"
#include "spec/json.h"

namespace homeslice::sliver {
namespace {

using nlohmann::json;

constexpr const char* kTable = "slivers";

json runtimeToJson(const isolation::SliverRuntime& runtime) {
    return {{"first_id", runtime.ids.first},  {"id_count", runtime.ids.count},
            {"directory", runtime.directory}, {"socket_directory", runtime.socket_directory},
            {"cgroup", runtime.cgroup},       {"link_name", runtime.link_name},
            {"host_mac", runtime.host_mac},   {"sliver_mac", runtime.sliver_mac}};
}

isolation::SliverRuntime runtimeFromJson(const json& object) {
    isolation::SliverRuntime runtime;
    runtime.ids = {.first = object.at("first_id"), .count = object.at("id_count")};
    runtime.directory = object.at("directory");
    runtime.socket_directory = object.at("socket_directory");
    runtime.cgroup = object.at("cgroup");
    runtime.link_name = object.at("link_name");
    runtime.host_mac = object.at("host_mac").get<sys::MacAddress>();
    runtime.sliver_mac = object.at("sliver_mac").get<sys::MacAddress>();
    return runtime;
}

absl::StatusOr<Record> fromJson(const json& object) {
    Record record;
    HS_ASSIGN_OR_RETURN(record.spec, parseSliverSpec(object.at("spec").dump()));
    HS_ASSIGN_OR_RETURN(record.state, parseSliverState(object.at("state").get<std::string>()));
    record.runtime = runtimeFromJson(object.at("runtime"));
    record.reason = object.at("reason");
    record.exit_status = object.at("exit_status");
    record.running_since_us = object.at("running_since_us");
    record.disk_generation = object.at("disk_generation");
    record.restarts = object.value("restarts", 0U);
    const json& process = object.at("process");
    record.process = {
        .pid = process.at("pid"), .start_time = process.at("start_time"), .boot_id = process.at("boot_id")};
    return record;
}

std::optional<SliverId> parseKey(const std::string& key) {
    const size_t slash = key.find('/');
    if (slash == std::string::npos || !checkName("slice name", key.substr(0, slash)).ok()) return std::nullopt;
    SliverId id{.slice = key.substr(0, slash)};
    const char* end = key.data() + key.size();
    const auto [parsed, error] = std::from_chars(key.data() + slash + 1, end, id.index);
    if (error != std::errc() || parsed != end) return std::nullopt;
    return id;
}

// The record under `key`, if that is a sliver's at all.
std::optional<Record> readRecord(const std::string& key, const std::string& text) {
    const std::optional<SliverId> id = parseKey(key);
    if (!id) {
        logError("the store has a record '{}', which is no sliver's; it is left alone", key);
        return std::nullopt;
    }
    auto record = parseRecord(text);
    if (record.ok() && record->spec.id == *id) return std::move(*record);
    const std::string why = record.ok() ? "it names " + record->spec.id.toString() : messageOf(record.status());
    logError("sliver {}: its record cannot be read: {}", key, why);
    Record broken;
    broken.spec.id = *id;
    broken.state = State::failed;
    broken.reason = "its record on the node cannot be read (" + why + "); it is kept for repair";
    broken.broken = true;
    return broken;
}

}  // namespace

std::string toJson(const Record& record) {
    const json object = {{"runtime", runtimeToJson(record.runtime)},
                         {"state", toString(record.state)},
                         {"reason", record.reason},
                         {"exit_status", record.exit_status},
                         {"running_since_us", record.running_since_us},
                         {"disk_generation", record.disk_generation},
                         {"restarts", record.restarts},
                         {"process",
                          {{"pid", record.process.pid},
                           {"start_time", record.process.start_time},
                           {"boot_id", record.process.boot_id}}}};
    // The spec's text is put in as it is: taking it apart again costs more than all the rest of the record.
    return "{\"spec\":" + homeslice::toJson(record.spec) + "," +
           object.dump(-1, ' ', false, json::error_handler_t::replace).substr(1);
}

absl::StatusOr<Record> parseRecord(const std::string& text) {
    try {
        return fromJson(json::parse(text));
    } catch (const json::exception& error) {
        return invalidArgument(std::string("sliver record: ") + error.what());
    }
}

absl::StatusOr<std::vector<Record>> Records::load() {
    HS_ASSIGN_OR_RETURN(const auto stored, store_.list(kTable));
    std::vector<Record> records;
    for (const auto& [key, text] : stored) {
        if (std::optional<Record> record = readRecord(key, text)) records.push_back(std::move(*record));
    }
    return records;
}

absl::Status Records::save(const Record& record) {
    return store_.put(kTable, record.spec.id.toString(), toJson(record));
}

absl::Status Records::erase(const SliverId& id) { return store_.erase(kTable, id.toString()); }

}  // namespace homeslice::sliver
