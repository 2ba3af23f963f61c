#include "oci/layout.h"

#include <archive_entry.h>

#include <algorithm>
#include <array>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "base/status.h"
#include "oci/limits.h"
#include "oci/member_path.h"
#include "oci/sha256.h"

namespace homeslice::oci {
namespace {

using nlohmann::json;

// A member of the archive around the image; the first one of its name counts.
class Member {
public:
    static absl::StatusOr<Member> open(const std::string& archive_path, const std::string& name) {
        HS_ASSIGN_OR_RETURN(TarReader tar, TarReader::openFile(archive_path, kLayoutLimits));
        for (;;) {
            HS_ASSIGN_OR_RETURN(archive_entry * entry, tar.next());
            if (entry == nullptr) return invalidArgument("there is no " + name + " in it");
            HS_ASSIGN_OR_RETURN(const std::string path, memberPath(archive_entry_pathname(entry)));
            if (path != name) continue;
            if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry) != nullptr) {
                return invalidArgument(name + " is not a file");
            }
            return Member(std::move(tar), name);
        }
    }

    // The next piece, empty at the end.
    absl::StatusOr<std::string_view> next() {
        HS_ASSIGN_OR_RETURN_CTX(const std::optional<TarReader::Block> block, tar_.nextBlock(), name_);
        if (!block) return std::string_view();
        if (static_cast<uint64_t>(block->offset) != end_) return invalidArgument(name_ + " is sparse");
        end_ += block->data.size();
        return block->data;
    }

private:
    Member(TarReader tar, std::string name) : tar_(std::move(tar)), name_(std::move(name)) {}

    TarReader tar_;
    std::string name_;
    uint64_t end_ = 0;
};

absl::StatusOr<std::string> readSmall(const std::string& archive_path, const std::string& name) {
    HS_ASSIGN_OR_RETURN(Member member, Member::open(archive_path, name));
    std::string text;
    for (;;) {
        HS_ASSIGN_OR_RETURN(const std::string_view piece, member.next());
        if (piece.empty()) return text;
        if (piece.size() > kMaxJsonSize - text.size()) return invalidArgument(name + " is too large");
        text += piece;
    }
}

absl::StatusOr<json> parseObject(const std::string& text, const std::string& name) {
    json object = json::parse(text, nullptr, false);
    if (!object.is_object()) return invalidArgument(name + " is not a JSON object");
    return object;
}

std::string stringIn(const json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

absl::StatusOr<Descriptor> parseDescriptor(const json& object, const std::string& what) {
    if (!object.is_object()) return invalidArgument(what + " has no descriptor");
    Descriptor descriptor{stringIn(object, "mediaType"), stringIn(object, "digest"), 0};
    if (!isDigest(descriptor.digest)) return invalidArgument(what + " has no sha256 digest");
    const auto size = object.find("size");
    if (size == object.end() || !size->is_number_unsigned()) return invalidArgument(what + " has no size");
    descriptor.size = size->get<uint64_t>();
    return descriptor;
}

absl::StatusOr<Descriptor> descriptorIn(const json& object, const char* key, const char* media_type) {
    const auto found = object.find(key);
    if (found == object.end()) return invalidArgument(std::string("the manifest has no ") + key);
    HS_ASSIGN_OR_RETURN(const Descriptor descriptor, parseDescriptor(*found, key));
    if (descriptor.media_type != media_type) {
        return invalidArgument(std::string(key) + " is of type '" + descriptor.media_type + "', not " + media_type);
    }
    return descriptor;
}

absl::Status checkLayoutVersion(const std::string& archive_path) {
    HS_ASSIGN_OR_RETURN(const std::string text, readSmall(archive_path, "oci-layout"));
    HS_ASSIGN_OR_RETURN(const json object, parseObject(text, "oci-layout"));
    const std::string version = stringIn(object, "imageLayoutVersion");
    if (!version.starts_with("1.")) return invalidArgument("image layout version '" + version + "' is not 1.x");
    return absl::OkStatus();
}

absl::StatusOr<Descriptor> findManifest(const std::string& archive_path) {
    HS_ASSIGN_OR_RETURN(const std::string text, readSmall(archive_path, "index.json"));
    HS_ASSIGN_OR_RETURN(const json index, parseObject(text, "index.json"));
    const auto manifests = index.find("manifests");
    if (manifests == index.end() || !manifests->is_array() || manifests->empty()) {
        return invalidArgument("index.json names no image");
    }
    if (manifests->size() > 1) {
        return invalidArgument("it holds " + std::to_string(manifests->size()) +
                               " images; copy one of them to an archive of its own with skopeo");
    }
    HS_ASSIGN_OR_RETURN(const Descriptor manifest, parseDescriptor((*manifests)[0], "the image"));
    if (manifest.media_type == kIndexType) {
        return invalidArgument("it holds images for several platforms; copy one of them to an archive of its own");
    }
    if (manifest.media_type != kManifestType) {
        return invalidArgument("the image is of type '" + manifest.media_type + "', not " + kManifestType);
    }
    return manifest;
}

absl::StatusOr<std::string> readJsonBlob(const std::string& archive_path, const Descriptor& blob) {
    HS_RETURN_IF_ERROR(verifyBlob(archive_path, blob));
    return readSmall(archive_path, blobPath(blob.digest));
}

absl::StatusOr<std::vector<Descriptor>> layersOf(const json& manifest) {
    const auto found = manifest.find("layers");
    if (found == manifest.end() || !found->is_array() || found->empty()) {
        return invalidArgument("the image has no layers");
    }
    if (found->size() > kMaxLayers) return invalidArgument("more than " + std::to_string(kMaxLayers) + " layers");
    constexpr std::array<std::string_view, 3> kTypes{kTarType, kGzipType, kZstdType};
    std::vector<Descriptor> layers;
    for (const json& element : *found) {
        HS_ASSIGN_OR_RETURN(Descriptor layer, parseDescriptor(element, "layer " + std::to_string(layers.size())));
        if (std::find(kTypes.begin(), kTypes.end(), layer.media_type) == kTypes.end()) {
            return invalidArgument("layer " + std::to_string(layers.size()) + " is of type '" + layer.media_type +
                                   "', which is not supported");
        }
        layers.push_back(std::move(layer));
    }
    return layers;
}

}  // namespace

std::string blobPath(const std::string& digest) { return "blobs/sha256/" + digest.substr(digest.find(':') + 1); }

absl::StatusOr<Layout> readLayout(const std::string& archive_path) {
    HS_RETURN_IF_ERROR(checkLayoutVersion(archive_path));
    HS_ASSIGN_OR_RETURN(const Descriptor descriptor, findManifest(archive_path));
    HS_ASSIGN_OR_RETURN(const std::string manifest_text, readJsonBlob(archive_path, descriptor));
    HS_ASSIGN_OR_RETURN(const json manifest, parseObject(manifest_text, "the manifest"));
    HS_ASSIGN_OR_RETURN(const Descriptor config, descriptorIn(manifest, "config", kConfigType));
    HS_ASSIGN_OR_RETURN(const std::string config_text, readJsonBlob(archive_path, config));
    Layout layout;
    HS_ASSIGN_OR_RETURN(layout.config, parseConfig(config_text));
    HS_ASSIGN_OR_RETURN(layout.layers, layersOf(manifest));
    return layout;
}

absl::Status verifyBlob(const std::string& archive_path, const Descriptor& blob) {
    HS_ASSIGN_OR_RETURN(Member member, Member::open(archive_path, blobPath(blob.digest)));
    Sha256 hash;
    uint64_t size = 0;
    for (;;) {
        HS_ASSIGN_OR_RETURN(const std::string_view piece, member.next());
        if (piece.empty()) break;
        hash.update(piece);
        size += piece.size();
    }
    if (size != blob.size || hash.finish() != blob.digest) {
        return invalidArgument("the blob " + blob.digest + " has another digest or size than its name tells");
    }
    return absl::OkStatus();
}

absl::StatusOr<TarReader> openLayer(const std::string& archive_path, const Descriptor& blob) {
    HS_ASSIGN_OR_RETURN(Member member, Member::open(archive_path, blobPath(blob.digest)));
    const auto shared = std::make_shared<Member>(std::move(member));
    return TarReader::openSource([shared] { return shared->next(); }, kImageLimits);
}

}  // namespace homeslice::oci
