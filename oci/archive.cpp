#include "oci/archive.h"

#include <archive_entry.h>

#include "base/defer.h"
#include "base/status.h"
#include "oci/layer.h"
#include "oci/layout.h"
#include "oci/limits.h"
#include "oci/member_path.h"

namespace homeslice::oci {
namespace {

absl::Status checkLayers(const std::string& archive_path, const Layout& layout) {
    for (const Descriptor& blob : layout.layers) {
        HS_RETURN_IF_ERROR(verifyBlob(archive_path, blob));
        HS_ASSIGN_OR_RETURN_CTX(TarReader layer, openLayer(archive_path, blob), blob.digest);
        HS_RETURN_IF_ERROR_CTX(checkLayer(layer).status(), blob.digest);
    }
    return absl::OkStatus();
}

absl::Status unpackLayer(const std::string& archive_path, const Descriptor& blob, bool lowest, TreeWriter& tree) {
    HS_RETURN_IF_ERROR(verifyBlob(archive_path, blob));
    if (!lowest) {
        HS_ASSIGN_OR_RETURN(TarReader layer, openLayer(archive_path, blob));
        HS_RETURN_IF_ERROR(applyWhiteouts(layer, tree));
    }
    HS_ASSIGN_OR_RETURN(TarReader layer, openLayer(archive_path, blob));
    return extractLayer(layer, tree);
}

absl::Status unpackLayers(const std::string& archive_path, const Layout& layout, TreeWriter& tree) {
    bool lowest = true;
    for (const Descriptor& blob : layout.layers) {
        HS_RETURN_IF_ERROR_CTX(unpackLayer(archive_path, blob, lowest, tree), blob.digest);
        lowest = false;
    }
    return tree.finish();
}

absl::StatusOr<ArchiveKind> detect(const std::string& path) {
    HS_ASSIGN_OR_RETURN(TarReader tar, TarReader::openFile(path, kImageLimits));
    for (bool is_empty = true;; is_empty = false) {
        HS_ASSIGN_OR_RETURN(archive_entry * entry, tar.next());
        if (entry == nullptr && is_empty) return invalidArgument("an empty archive");
        if (entry == nullptr) return ArchiveKind::rootfs_tar;
        HS_ASSIGN_OR_RETURN(const std::string name, memberPath(archive_entry_pathname(entry)));
        if (name == "oci-layout") return ArchiveKind::oci_layout;
    }
}

absl::StatusOr<ImageConfig> check(const std::string& path) {
    HS_ASSIGN_OR_RETURN(Layout layout, readLayout(path));
    HS_RETURN_IF_ERROR(checkLayers(path, layout));
    return std::move(layout.config);
}

absl::StatusOr<ImageConfig> unpack(const std::string& path, const std::string& rootfs) {
    HS_ASSIGN_OR_RETURN(Layout layout, readLayout(path));
    HS_ASSIGN_OR_RETURN(TreeWriter tree, TreeWriter::open(rootfs, imageRules()));
    if (const absl::Status status = unpackLayers(path, layout, tree); !status.ok()) {
        tree.clear("").IgnoreError();  // the first error is the one to tell
        return status;
    }
    return std::move(layout.config);
}

}  // namespace

absl::StatusOr<ArchiveKind> detectArchive(const std::string& path) {
    HS_ASSIGN_OR_RETURN_CTX(const ArchiveKind kind, detect(path), path);
    return kind;
}

absl::StatusOr<ImageConfig> checkOciArchive(const std::string& path) {
    HS_ASSIGN_OR_RETURN_CTX(ImageConfig config, check(path), path);
    return config;
}

absl::StatusOr<ImageConfig> unpackOciArchive(const std::string& archive_path, const std::string& rootfs) {
    HS_ASSIGN_OR_RETURN_CTX(ImageConfig config, unpack(archive_path, rootfs), archive_path);
    return config;
}

}  // namespace homeslice::oci
