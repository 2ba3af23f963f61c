#include "noded/spec/sliver_spec.h"

#include <nlohmann/json.hpp>

#include "base/status.h"

namespace homeslice {
namespace {

using nlohmann::json;

const char* runName(DesiredRun run) {
    switch (run) {
        case DesiredRun::running:
            return "running";
        case DesiredRun::prepared:
            return "prepared";
        case DesiredRun::stopped:
            return "stopped";
    }
    return "running";
}

absl::StatusOr<DesiredRun> parseRun(const std::string& text) {
    for (const DesiredRun run : {DesiredRun::running, DesiredRun::prepared, DesiredRun::stopped}) {
        if (text == runName(run)) return run;
    }
    return invalidArgument("'" + text + "' is no desired run state");
}

absl::StatusOr<SliverSpec> fromJson(const json& object) {
    SliverSpec spec;
    spec.id = {.slice = object.at("slice"), .index = object.at("index")};
    spec.generation = object.at("generation");
    HS_ASSIGN_OR_RETURN(spec.run, parseRun(object.at("run")));
    spec.image = object.at("image");
    spec.image_digest = object.at("image_digest");
    spec.argv = object.at("argv").get<std::vector<std::string>>();
    const json& resources = object.at("resources");
    spec.resources = {.cpu_millis = resources.at("cpu_millis"),
                      .memory_bytes = resources.at("memory_bytes"),
                      .pids = resources.at("pids")};
    for (const json& port : object.at("exposed")) {
        spec.exposed.push_back({.protocol = port.at("protocol"), .port = port.at("port")});
    }
    HS_ASSIGN_OR_RETURN(spec.home_address, Ipv6Address::parse(object.at("home_address")));
    HS_ASSIGN_OR_RETURN(spec.slice_address, Ipv6Address::parse(object.at("slice_address")));
    if (const auto source = object.find("disk_source"); source != object.end()) {
        spec.has_disk_source = true;
        HS_ASSIGN_OR_RETURN(spec.disk_source.node, Ipv6Address::parse(source->at("node")));
        spec.disk_source.api_port = source->at("api_port");
        spec.disk_source.generation = source->at("generation");
    }
    return spec;
}

}  // namespace

std::string toJson(const SliverSpec& spec) {
    json exposed = json::array();
    for (const ExposedPort& port : spec.exposed) exposed.push_back({{"protocol", port.protocol}, {"port", port.port}});
    json object = {{"slice", spec.id.slice},
                   {"index", spec.id.index},
                   {"generation", spec.generation},
                   {"run", runName(spec.run)},
                   {"image", spec.image},
                   {"image_digest", spec.image_digest},
                   {"argv", spec.argv},
                   {"resources",
                    {{"cpu_millis", spec.resources.cpu_millis},
                     {"memory_bytes", spec.resources.memory_bytes},
                     {"pids", spec.resources.pids}}},
                   {"exposed", exposed},
                   {"home_address", spec.home_address.toString()},
                   {"slice_address", spec.slice_address.toString()}};
    if (spec.has_disk_source) {
        object["disk_source"] = {{"node", spec.disk_source.node.toString()},
                                 {"api_port", spec.disk_source.api_port},
                                 {"generation", spec.disk_source.generation}};
    }
    // Arguments may hold bytes that are no UTF-8; they are replaced rather than refused.
    return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

absl::StatusOr<SliverSpec> parseSliverSpec(const std::string& text) {
    try {
        return fromJson(json::parse(text));
    } catch (const json::exception& error) {
        return invalidArgument(std::string("sliver record: ") + error.what());
    }
}

}  // namespace homeslice
