// Images on a node: OCI image layouts (tar archives) unpacked to one root file system directory each.
//
// Layout below `directory`: images/<hex digest>/{rootfs/, config.json, complete}; an image without `complete` was
// interrupted and is made anew. Files keep the archive's numeric owners, modes, times and xattrs; device nodes and
// sockets are left out. Threads: any. Two callers that want the same image share one fetch.
#pragma once

#include <absl/status/statusor.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace homeslice::image {

// The part of the OCI image configuration that a start uses.
struct ImageConfig {
    std::vector<std::string> argv;  // Entrypoint + Cmd
    std::vector<std::string> env;   // "NAME=value"
    std::string working_directory;  // "" means /
    std::string user;               // "", "name", "uid", "uid:gid"
};

struct Image {
    std::string digest;       // sha256:<hex> of the archive
    std::string rootfs;       // host path, read-only by convention
    ImageConfig config;
};

// Writes the archive with this digest into `fd`.
using Fetch = std::function<absl::Status(const std::string& digest, int fd)>;

class Store {
public:
    // Removes what earlier runs left half done.
    static absl::StatusOr<std::unique_ptr<Store>> open(const std::string& directory);
    virtual ~Store() = default;

    virtual bool has(const std::string& digest) const = 0;
    // NOT_FOUND unless it is unpacked here.
    virtual absl::StatusOr<Image> get(const std::string& digest) const = 0;
    // get(), after fetching, checking the SHA-256 and unpacking if need be. Blocks. DATA_LOSS on a digest mismatch.
    virtual absl::StatusOr<Image> ensure(const std::string& digest, const Fetch& fetch) = 0;
    // Removes all but the images in `kept`. Never call while a sliver that uses another one may start.
    virtual absl::Status collectGarbage(const std::vector<std::string>& kept) = 0;
};

// Checks and unpacks an OCI image layout archive (gzip, zstd or uncompressed layers, whiteouts applied) into
// `rootfs`, an existing empty directory. INVALID_ARGUMENT when it is none, is malformed, or tries to leave `rootfs`.
absl::StatusOr<ImageConfig> unpackOciArchive(const std::string& archive_path, const std::string& rootfs);

// Writes an OCI image layout archive with one layer, the given (possibly compressed) tar of a root file system.
absl::Status writeOciArchive(const std::string& rootfs_tar, const ImageConfig& config, const std::string& archive_path);

// sha256:<hex> of a file.
absl::StatusOr<std::string> digestOf(const std::string& path);

}  // namespace homeslice::image
