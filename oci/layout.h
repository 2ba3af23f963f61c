// The OCI image layout inside an archive: which blobs make the image, and reading them.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "oci/archive.h"
#include "oci/tar_reader.h"

namespace homeslice::oci {

constexpr char kIndexType[] = "application/vnd.oci.image.index.v1+json";
constexpr char kManifestType[] = "application/vnd.oci.image.manifest.v1+json";
constexpr char kConfigType[] = "application/vnd.oci.image.config.v1+json";
constexpr char kTarType[] = "application/vnd.oci.image.layer.v1.tar";
constexpr char kGzipType[] = "application/vnd.oci.image.layer.v1.tar+gzip";
constexpr char kZstdType[] = "application/vnd.oci.image.layer.v1.tar+zstd";

struct Descriptor {
    std::string media_type;
    std::string digest;
    uint64_t size = 0;  // bytes
};

struct Layout {
    ImageConfig config;
    std::vector<Descriptor> layers;  // the lowest first
};

// "sha256:<hex>" -> "blobs/sha256/<hex>"
std::string blobPath(const std::string& digest);

// Reads the layout of the archive's one image. The digests of manifest and configuration are verified.
absl::StatusOr<Layout> readLayout(const std::string& archive_path);

// Verifies size and digest of a blob.
absl::Status verifyBlob(const std::string& archive_path, const Descriptor& blob);

// A blob as a tar archive.
absl::StatusOr<TarReader> openLayer(const std::string& archive_path, const Descriptor& blob);

// The image configuration as JSON (https://github.com/opencontainers/image-spec/blob/main/config.md) and back.
std::string formatConfig(const ImageConfig& config, const std::string& diff_id);
absl::StatusOr<ImageConfig> parseConfig(const std::string& text);

}  // namespace homeslice::oci
