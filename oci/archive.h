// OCI image layouts in tar archives (OCI image specification 1.0), as `skopeo copy ... oci-archive:FILE` writes them:
// one image of gzip, zstd or uncompressed layers.
//
// Threads: any; no function changes the process's state. Errors: INVALID_ARGUMENT when the input is no such archive, is
// malformed, exceeds kImageLimits (limits.h), or tries to leave the directory that it is unpacked into; the message is
// one line.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace homeslice::oci {

// The part of the OCI image configuration that a start uses.
struct ImageConfig {
    std::vector<std::string> argv;  // Entrypoint + Cmd
    std::vector<std::string> env;   // "NAME=value"
    std::string working_directory;  // "" means /
    std::string user;               // "", "name", "uid", "uid:gid"

    bool operator==(const ImageConfig&) const = default;
};

enum class ArchiveKind {
    oci_layout,  // for checkOciArchive() and unpackOciArchive()
    rootfs_tar,  // a plain root file system, possibly gzip or zstd compressed: for writeOciArchive()
};

// Tells the two apart by the `oci-layout` member. INVALID_ARGUMENT when the file is no tar archive at all.
absl::StatusOr<ArchiveKind> detectArchive(const std::string& path);

// Everything that unpackOciArchive() checks about digests, sizes and member names, without writing anything.
absl::StatusOr<ImageConfig> checkOciArchive(const std::string& path);

// Unpacks into `rootfs`, an existing empty directory, with whiteouts applied and each blob's digest verified. Kept:
// numeric owners, modes, times, hard links, sparse files, and the xattrs "security.capability" and "user.*". Device
// nodes and sockets are left out. Needs root. On an error `rootfs` is left as it was: empty.
absl::StatusOr<ImageConfig> unpackOciArchive(const std::string& archive_path, const std::string& rootfs);

// Writes an OCI image layout archive with one layer: the tar of a root file system, stored as it is (uncompressed, gzip
// or zstd). The same input gives the same bytes. On an error `archive_path` is left as it was.
absl::Status writeOciArchive(const std::string& rootfs_tar, const ImageConfig& config, const std::string& archive_path);

// sha256:<hex> of a file.
absl::StatusOr<std::string> digestOf(const std::string& path);
// True for sha256: and 64 lower-case hex digits.
bool isDigest(const std::string& text);

}  // namespace homeslice::oci
