// Images on a node: OCI image layouts (tar archives) unpacked to one root file system directory each.
//
// Layout below `directory`: images/<hex digest>/{rootfs/, config.json, complete}; an image without `complete` was
// interrupted and is made anew. What an image keeps of its files, see oci/archive.h. Threads: any. Two callers that
// want the same image share one fetch.
#pragma once

#include <absl/status/statusor.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "oci/archive.h"

namespace homeslice::image {

using oci::digestOf;
using oci::ImageConfig;
using oci::unpackOciArchive;
using oci::writeOciArchive;

struct Image {
    std::string digest;  // sha256:<hex> of the archive
    std::string rootfs;  // host path, read-only by convention
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
    // get(), after fetching, checking the SHA-256 and unpacking if need be. Blocks. DATA_LOSS on a digest mismatch,
    // INVALID_ARGUMENT when the archive is no image; then nothing is left behind.
    virtual absl::StatusOr<Image> ensure(const std::string& digest, const Fetch& fetch) = 0;
    // Removes all but the images in `kept`. Never call while a sliver that uses another one may start.
    virtual absl::Status collectGarbage(const std::vector<std::string>& kept) = 0;
};

}  // namespace homeslice::image
