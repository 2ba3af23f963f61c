#include "ctl/lab/state.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/status.h"
#include "ctl/lab/plan.h"

namespace homeslice::ctl::lab {
namespace {

using Json = nlohmann::ordered_json;

std::string statePath() { return std::string(kRunDirectory) + "/lab.json"; }

Phase phaseOf(const std::string& text) {
    for (const Phase phase : {Phase::up, Phase::stopping}) {
        if (text == toString(phase)) return phase;
    }
    return Phase::starting;
}

LabState stateOf(const Json& json) {
    LabState state{.phase = phaseOf(json.at("phase")),
                   .boot_id = json.at("boot_id"),
                   .nodes = json.at("nodes"),
                   .home_agents = json.at("home_agents"),
                   .correspondents = json.at("correspondents"),
                   .home_prefix = json.at("home_prefix"),
                   .network = {.ipv4 = json.value("ipv4", false),
                               .outbound = json.value("outbound", false),
                               .behind_nat = json.value("behind_nat", 0U)},
                   .times = {.replace_after = json.at("replace_after"),
                             .certificate_lifetime = json.value("certificate_lifetime", ""),
                             .grace = json.value("grace", ""),
                             .keep_flows = json.value("keep_flows", "")},
                   .made_netns_directory = json.at("made_netns_directory"),
                   .programs = {}};
    for (const Json& program : json.at("programs")) {
        state.programs.push_back({program.at("name"), {program.at("pid"), program.at("start_time")}});
    }
    return state;
}

}  // namespace

void LabState::setProcess(const std::string& program, const ProcessId& process) {
    std::erase_if(programs, [&](const StartedProgram& started) { return started.name == program; });
    programs.push_back({program, process});
}

std::optional<ProcessId> LabState::processOf(const std::string& program) const {
    const auto found = std::find_if(programs.begin(), programs.end(),
                                    [&](const StartedProgram& started) { return started.name == program; });
    if (found == programs.end()) return std::nullopt;
    return found->process;
}

const char* toString(Phase phase) {
    switch (phase) {
        case Phase::starting:
            return "starting";
        case Phase::up:
            return "up";
        case Phase::stopping:
            return "stopping";
    }
    return "";
}

std::string toJson(const LabState& state) {
    Json json{{"phase", toString(state.phase)},
              {"boot_id", state.boot_id},
              {"nodes", state.nodes},
              {"home_agents", state.home_agents},
              {"correspondents", state.correspondents},
              {"home_prefix", state.home_prefix},
              {"ipv4", state.network.ipv4},
              {"outbound", state.network.outbound},
              {"behind_nat", state.network.behind_nat},
              {"replace_after", state.times.replace_after},
              {"certificate_lifetime", state.times.certificate_lifetime},
              {"grace", state.times.grace},
              {"keep_flows", state.times.keep_flows},
              {"made_netns_directory", state.made_netns_directory},
              {"programs", Json::array()}};
    for (const StartedProgram& program : state.programs) {
        json["programs"].push_back(
            {{"name", program.name}, {"pid", program.process.pid}, {"start_time", program.process.start_time}});
    }
    return json.dump(2) + "\n";
}

absl::StatusOr<LabState> parseLabState(const std::string& text) {
    try {
        return stateOf(Json::parse(text));
    } catch (const Json::exception& error) {
        return dataLoss("lab.json: " + std::string(error.what()));
    }
}

absl::Status saveState(const LabState& state) { return replaceFile(statePath(), toJson(state)); }

absl::StatusOr<LabState> loadState() {
    HS_ASSIGN_OR_RETURN(const std::string text, readFile(statePath()));
    HS_ASSIGN_OR_RETURN(LabState state, parseLabState(text));
    HS_ASSIGN_OR_RETURN(const std::string boot_id, currentBootId());
    if (state.boot_id != boot_id) return notFound("the lab ended with the last boot");
    return state;
}

absl::StatusOr<std::string> currentBootId() {
    HS_ASSIGN_OR_RETURN(std::string id, readFile("/proc/sys/kernel/random/boot_id"));
    id.erase(id.find_last_not_of('\n') + 1);
    return id;
}

}  // namespace homeslice::ctl::lab
