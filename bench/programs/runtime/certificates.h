// The credentials that a controller and a node need to speak to each other, of an authority made for the occasion.
#pragma once

#include <absl/status/status.h>

#include <string>

namespace homeslice::bench {

// Two directories as in pki/files.h.
absl::Status makeCertificates(const std::string& controller_directory, const std::string& node_directory,
                              const std::string& node);

}  // namespace homeslice::bench
