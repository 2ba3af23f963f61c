// The one root file system that everything in the benchmark starts: busybox, and links to it.
#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <vector>

namespace homeslice::bench {

struct Rootfs {
    std::string directory;  // unpacked, owned by root
    std::string archive;    // the same as an OCI image
    std::string digest;     // of the archive
};

// What is run in it, as container and as sliver alike.
inline const std::vector<std::string> kShortCommand = {"/bin/true"};
inline const std::vector<std::string> kLongCommand = {"/bin/sleep", "1000000"};

absl::StatusOr<Rootfs> makeRootfs(const std::string& directory);

}  // namespace homeslice::bench
