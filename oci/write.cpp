#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/defer.h"
#include "base/file.h"
#include "base/status.h"
#include "oci/archive.h"
#include "oci/layer.h"
#include "oci/layout.h"
#include "oci/sha256.h"

namespace homeslice::oci {
namespace {

using nlohmann::json;

constexpr size_t kBufferSize = size_t{1} << 20;

struct FreeReader {
    void operator()(archive* reader) const { archive_read_free(reader); }
};
struct FreeWriter {
    void operator()(archive* writer) const { archive_write_free(writer); }
};
struct FreeEntry {
    void operator()(archive_entry* entry) const { archive_entry_free(entry); }
};

// A tar file that becomes a layer.
struct LayerFile {
    std::string path;
    Descriptor blob;
    std::string diff_id;  // digest of the uncompressed tar
};

absl::StatusOr<std::string> mediaTypeOf(const std::string& path) {
    HS_ASSIGN_OR_RETURN(const UniqueFd fd, openFile(path, O_RDONLY));
    char magic[4] = {};
    const ssize_t n = ::read(fd.get(), magic, sizeof magic);
    if (n < 0) return errnoStatus(errno, "read");
    const std::string_view start(magic, static_cast<size_t>(n));
    if (start.starts_with("\x1f\x8b")) return kGzipType;
    if (start.starts_with("\x28\xb5\x2f\xfd")) return kZstdType;
    return kTarType;
}

absl::StatusOr<std::string> digestUncompressed(const std::string& path) {
    const std::unique_ptr<archive, FreeReader> reader(archive_read_new());
    archive_read_support_filter_gzip(reader.get());
    archive_read_support_filter_zstd(reader.get());
    archive_read_support_format_raw(reader.get());
    archive_entry* entry = nullptr;
    if (archive_read_open_filename(reader.get(), path.c_str(), kBufferSize) != ARCHIVE_OK ||
        archive_read_next_header(reader.get(), &entry) != ARCHIVE_OK) {
        return invalidArgument("cannot be uncompressed");
    }
    Sha256 hash;
    std::vector<char> buffer(kBufferSize);
    for (;;) {
        const la_ssize_t n = archive_read_data(reader.get(), buffer.data(), buffer.size());
        if (n < 0) return invalidArgument("cannot be uncompressed");
        if (n == 0) return hash.finish();
        hash.update({buffer.data(), static_cast<size_t>(n)});
    }
}

absl::StatusOr<LayerFile> describeLayer(const std::string& path) {
    LayerFile layer;
    layer.path = path;
    HS_ASSIGN_OR_RETURN(layer.blob.media_type, mediaTypeOf(path));
    HS_ASSIGN_OR_RETURN(TarReader tar, TarReader::openFile(path, kImageLimits));
    HS_ASSIGN_OR_RETURN(const uint64_t members, checkLayer(tar));
    if (members == 0) return invalidArgument("an empty archive");
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) return errnoStatus(errno, "stat");
    layer.blob.size = static_cast<uint64_t>(info.st_size);
    HS_ASSIGN_OR_RETURN(layer.blob.digest, digestOf(path));
    layer.diff_id = layer.blob.digest;
    if (layer.blob.media_type != kTarType) {
        HS_ASSIGN_OR_RETURN(layer.diff_id, digestUncompressed(path));
    }
    return layer;
}

class LayoutWriter {
public:
    absl::Status open(const std::string& path) {
        // Restricted pax: plain ustar headers unless a blob is too large for them.
        if (archive_write_set_format_pax_restricted(writer_.get()) != ARCHIVE_OK ||
            archive_write_open_filename(writer_.get(), path.c_str()) != ARCHIVE_OK) {
            return failure("create the archive");
        }
        return absl::OkStatus();
    }

    absl::Status addText(const std::string& name, const std::string& text) {
        HS_RETURN_IF_ERROR(addHeader(name, text.size()));
        return addData(text.data(), text.size());
    }

    absl::Status addFile(const std::string& name, const LayerFile& layer) {
        HS_RETURN_IF_ERROR(addHeader(name, layer.blob.size));
        HS_ASSIGN_OR_RETURN(const UniqueFd fd, openFile(layer.path, O_RDONLY));
        std::vector<char> buffer(kBufferSize);
        uint64_t left = layer.blob.size;
        while (left > 0) {
            const ssize_t n = ::read(fd.get(), buffer.data(), std::min<uint64_t>(buffer.size(), left));
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return errnoStatus(errno, "read(" + layer.path + ")");
            if (n == 0) return aborted(layer.path + " became shorter while it was read");
            HS_RETURN_IF_ERROR(addData(buffer.data(), static_cast<size_t>(n)));
            left -= static_cast<uint64_t>(n);
        }
        return absl::OkStatus();
    }

    absl::Status close() {
        return archive_write_close(writer_.get()) == ARCHIVE_OK ? absl::OkStatus() : failure("finish the archive");
    }

private:
    absl::Status addHeader(const std::string& name, uint64_t size) {
        const std::unique_ptr<archive_entry, FreeEntry> entry(archive_entry_new());
        archive_entry_set_pathname(entry.get(), name.c_str());
        archive_entry_set_filetype(entry.get(), AE_IFREG);
        archive_entry_set_perm(entry.get(), 0644);
        archive_entry_set_size(entry.get(), static_cast<la_int64_t>(size));
        archive_entry_set_mtime(entry.get(), 0, 0);
        return archive_write_header(writer_.get(), entry.get()) == ARCHIVE_OK ? absl::OkStatus()
                                                                              : failure(name.c_str());
    }

    absl::Status addData(const char* data, size_t size) {
        if (archive_write_data(writer_.get(), data, size) == static_cast<la_ssize_t>(size)) return absl::OkStatus();
        return failure("write");
    }

    absl::Status failure(const char* what) {
        const int err = archive_errno(writer_.get());
        if (err > 0) return errnoStatus(err, what);
        const char* reason = archive_error_string(writer_.get());
        return internalError(std::string(what) + ": " + (reason != nullptr ? reason : "unknown error"));
    }

    std::unique_ptr<archive, FreeWriter> writer_{archive_write_new()};
};

json describe(const Descriptor& blob) {
    return {{"mediaType", blob.media_type}, {"digest", blob.digest}, {"size", blob.size}};
}

Descriptor describeText(const char* media_type, const std::string& text) {
    Sha256 hash;
    hash.update(text);
    return {media_type, hash.finish(), text.size()};
}

absl::Status writeLayout(const LayerFile& layer, const ImageConfig& config, const std::string& path) {
    const std::string config_text = formatConfig(config, layer.diff_id);
    const Descriptor config_blob = describeText(kConfigType, config_text);
    const std::string manifest = json{{"schemaVersion", 2},
                                      {"mediaType", kManifestType},
                                      {"config", describe(config_blob)},
                                      {"layers", json::array({describe(layer.blob)})}}
                                     .dump();
    const Descriptor manifest_blob = describeText(kManifestType, manifest);
    const json index = {
        {"schemaVersion", 2}, {"mediaType", kIndexType}, {"manifests", json::array({describe(manifest_blob)})}};
    LayoutWriter writer;
    HS_RETURN_IF_ERROR(writer.open(path));
    HS_RETURN_IF_ERROR(writer.addText("oci-layout", R"({"imageLayoutVersion":"1.0.0"})"));
    HS_RETURN_IF_ERROR(writer.addText("index.json", index.dump()));
    HS_RETURN_IF_ERROR(writer.addText(blobPath(manifest_blob.digest), manifest));
    HS_RETURN_IF_ERROR(writer.addText(blobPath(config_blob.digest), config_text));
    HS_RETURN_IF_ERROR(writer.addFile(blobPath(layer.blob.digest), layer));
    return writer.close();
}

}  // namespace

absl::Status writeOciArchive(const std::string& rootfs_tar, const ImageConfig& config,
                             const std::string& archive_path) {
    HS_ASSIGN_OR_RETURN_CTX(const LayerFile layer, describeLayer(rootfs_tar), rootfs_tar);
    const std::string temporary = archive_path + ".new";
    Defer remove_temporary([&temporary] { ::unlink(temporary.c_str()); });
    HS_RETURN_IF_ERROR_CTX(writeLayout(layer, config, temporary), archive_path);
    if (::rename(temporary.c_str(), archive_path.c_str()) != 0) return errnoStatus(errno, "rename to " + archive_path);
    remove_temporary.dismiss();
    return absl::OkStatus();
}

}  // namespace homeslice::oci
