#include "noded/image/config_file.h"

#include <nlohmann/json.hpp>
#include <vector>

#include "base/file.h"
#include "base/status.h"

namespace homeslice::image {

using nlohmann::json;

absl::StatusOr<oci::ImageConfig> readConfigFile(const std::string& path) {
    HS_ASSIGN_OR_RETURN(const std::string text, readFile(path));
    try {
        const json object = json::parse(text);
        oci::ImageConfig config;
        config.argv = object.at("argv").get<std::vector<std::string>>();
        config.env = object.at("env").get<std::vector<std::string>>();
        config.working_directory = object.at("working_directory").get<std::string>();
        config.user = object.at("user").get<std::string>();
        return config;
    } catch (const json::exception& error) {
        return dataLoss(path + ": " + error.what());
    }
}

absl::Status writeConfigFile(const std::string& path, const oci::ImageConfig& config) {
    const json object = {{"argv", config.argv},
                         {"env", config.env},
                         {"working_directory", config.working_directory},
                         {"user", config.user}};
    return replaceFile(path, object.dump(4, ' ', false, json::error_handler_t::replace) + "\n", 0600);
}

}  // namespace homeslice::image
