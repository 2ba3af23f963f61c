// Image archives as files: DIRECTORY/<64 hex digits>, hashed while they are received. Threads: any; a Receiver belongs
// to one caller at a time.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <set>
#include <string>

#include "base/unique_fd.h"

namespace homeslice::controller {

// One archive on its way in. Unless published, destroying it removes what was written.
class Receiver {
public:
    ~Receiver();
    Receiver(const Receiver&) = delete;
    Receiver& operator=(const Receiver&) = delete;

    absl::Status write(const std::string& data);
    // No more data: makes it durable and gives its digest, "sha256:<hex>". INVALID_ARGUMENT when nothing was written.
    absl::StatusOr<std::string> finish();
    // After finish(): gives the file its name. Publishing what is there already is fine.
    absl::Status publish();
    uint64_t size() const { return size_; }

private:
    friend class ImageFiles;
    struct Hash;
    Receiver(std::string directory, std::string temporary, UniqueFd fd);

    std::string directory_;
    std::string temporary_;
    UniqueFd fd_;
    std::unique_ptr<Hash> hash_;
    std::string digest_;
    uint64_t size_ = 0;
};

class ImageFiles {
public:
    // Creates the directory, removes what an earlier run left half received.
    static absl::StatusOr<std::unique_ptr<ImageFiles>> open(const std::string& directory);

    absl::StatusOr<std::unique_ptr<Receiver>> receive();
    // For reading, from the start. INVALID_ARGUMENT for a malformed digest, NOT_FOUND.
    absl::StatusOr<UniqueFd> openArchive(const std::string& digest) const;
    // Removes all archives but those with these digests. Errors are logged: the next call tries again.
    void keepOnly(const std::set<std::string>& digests);

private:
    explicit ImageFiles(std::string directory) : directory_(std::move(directory)) {}

    std::string directory_;
};

}  // namespace homeslice::controller
