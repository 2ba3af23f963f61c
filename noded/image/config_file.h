// An unpacked image's config.json: {"argv": [], "env": [], "working_directory": "", "user": ""}.
#pragma once

#include <absl/status/statusor.h>

#include <string>

#include "oci/archive.h"

namespace homeslice::image {

// DATA_LOSS when the file is not what writeConfigFile() writes.
absl::StatusOr<oci::ImageConfig> readConfigFile(const std::string& path);
absl::Status writeConfigFile(const std::string& path, const oci::ImageConfig& config);

}  // namespace homeslice::image
