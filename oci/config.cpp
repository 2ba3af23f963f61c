#include <sys/utsname.h>

#include <nlohmann/json.hpp>

#include "base/status.h"
#include "oci/layout.h"

namespace homeslice::oci {
namespace {

using nlohmann::json;

// Configurations call machines by the names of Go's GOARCH.
std::string architecture() {
    utsname name{};
    ::uname(&name);
    std::string machine = name.machine;
    if (machine == "x86_64") return "amd64";
    if (machine == "aarch64") return "arm64";
    return machine;
}

absl::Status checkString(const json& value, const char* key) {
    if (!value.is_string()) return invalidArgument(std::string("the configuration's ") + key + " is not of strings");
    if (value.get_ref<const std::string&>().find('\0') != std::string::npos) {
        return invalidArgument(std::string("the configuration's ") + key + " has a NUL character");
    }
    return absl::OkStatus();
}

// Absent and null mean empty.
absl::Status readString(const json& object, const char* key, std::string& result) {
    const auto found = object.find(key);
    if (found == object.end() || found->is_null()) return absl::OkStatus();
    HS_RETURN_IF_ERROR(checkString(*found, key));
    result = found->get<std::string>();
    return absl::OkStatus();
}

absl::Status appendStrings(const json& object, const char* key, std::vector<std::string>& result) {
    const auto found = object.find(key);
    if (found == object.end() || found->is_null()) return absl::OkStatus();
    if (!found->is_array()) return invalidArgument(std::string("the configuration's ") + key + " is not a list");
    for (const json& element : *found) {
        HS_RETURN_IF_ERROR(checkString(element, key));
        result.push_back(element.get<std::string>());
    }
    return absl::OkStatus();
}

}  // namespace

std::string formatConfig(const ImageConfig& config, const std::string& diff_id) {
    json inner = json::object();
    if (!config.argv.empty()) inner["Cmd"] = config.argv;
    if (!config.env.empty()) inner["Env"] = config.env;
    if (!config.working_directory.empty()) inner["WorkingDir"] = config.working_directory;
    if (!config.user.empty()) inner["User"] = config.user;
    const json outer = {{"architecture", architecture()},
                        {"os", "linux"},
                        {"config", inner},
                        {"rootfs", {{"type", "layers"}, {"diff_ids", json::array({diff_id})}}}};
    return outer.dump(-1, ' ', false, json::error_handler_t::replace);
}

absl::StatusOr<ImageConfig> parseConfig(const std::string& text) {
    const json outer = json::parse(text, nullptr, false);
    if (!outer.is_object()) return invalidArgument("the configuration is not a JSON object");
    ImageConfig config;
    const auto inner = outer.find("config");
    if (inner == outer.end() || inner->is_null()) return config;
    if (!inner->is_object()) return invalidArgument("the configuration's config is not an object");
    HS_RETURN_IF_ERROR(appendStrings(*inner, "Entrypoint", config.argv));
    HS_RETURN_IF_ERROR(appendStrings(*inner, "Cmd", config.argv));
    HS_RETURN_IF_ERROR(appendStrings(*inner, "Env", config.env));
    HS_RETURN_IF_ERROR(readString(*inner, "WorkingDir", config.working_directory));
    HS_RETURN_IF_ERROR(readString(*inner, "User", config.user));
    return config;
}

}  // namespace homeslice::oci
