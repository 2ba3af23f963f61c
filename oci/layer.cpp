#include "oci/layer.h"

#include <archive_entry.h>

#include <functional>
#include <optional>
#include <string>

#include "base/status.h"
#include "oci/member_path.h"

namespace homeslice::oci {
namespace {

constexpr std::string_view kWhiteout = ".wh.";
constexpr std::string_view kOpaque = ".wh..wh..opq";
constexpr std::string_view kReserved = ".wh..wh.";  // bookkeeping of aufs

bool isWhiteout(const std::string& path) { return baseOf(path).starts_with(kWhiteout); }

absl::Status forEachMember(TarReader& layer,
                           const std::function<absl::Status(archive_entry*, const std::string&)>& visit) {
    for (;;) {
        HS_ASSIGN_OR_RETURN(archive_entry * entry, layer.next());
        if (entry == nullptr) return absl::OkStatus();
        HS_ASSIGN_OR_RETURN(const std::string path, memberPath(archive_entry_pathname(entry)));
        HS_RETURN_IF_ERROR(visit(entry, path));
    }
}

// The path that the whiteout `path` removes; empty for one that removes nothing.
absl::StatusOr<std::string> whitedOut(const std::string& path) {
    const std::string base = baseOf(path);
    if (base.starts_with(kReserved)) return std::string();
    const std::string name = base.substr(kWhiteout.size());
    if (name.empty() || name == "." || name == "..") return invalidArgument("'" + path + "' is no valid whiteout");
    const std::string parent = parentOf(path);
    return parent.empty() ? name : parent + "/" + name;
}

absl::Status applyWhiteout(const std::string& path, TreeWriter& tree) {
    if (baseOf(path) == kOpaque) return tree.clear(parentOf(path));
    HS_ASSIGN_OR_RETURN(const std::string removed, whitedOut(path));
    return removed.empty() ? absl::OkStatus() : tree.remove(removed);
}

absl::Status readContent(TarReader& layer) {
    for (;;) {
        HS_ASSIGN_OR_RETURN(const std::optional<TarReader::Block> block, layer.nextBlock());
        if (!block) return absl::OkStatus();
    }
}

}  // namespace

absl::Status applyWhiteouts(TarReader& layer, TreeWriter& tree) {
    return forEachMember(layer, [&tree](archive_entry*, const std::string& path) {
        return isWhiteout(path) ? applyWhiteout(path, tree) : absl::OkStatus();
    });
}

absl::Status extractLayer(TarReader& layer, TreeWriter& tree) {
    return forEachMember(layer, [&](archive_entry* entry, const std::string& path) {
        return isWhiteout(path) ? whitedOut(path).status() : tree.add(layer, entry, path);
    });
}

absl::StatusOr<uint64_t> checkLayer(TarReader& layer) {
    uint64_t members = 0;
    const auto check = [&](archive_entry* entry, const std::string& path) -> absl::Status {
        ++members;
        if (isWhiteout(path)) HS_RETURN_IF_ERROR(whitedOut(path).status());
        if (const char* target = archive_entry_hardlink(entry); target != nullptr) return memberPath(target).status();
        return readContent(layer);
    };
    HS_RETURN_IF_ERROR(forEachMember(layer, check));
    return members;
}

TreeRules imageRules() {
    TreeRules rules;
    rules.devices = Devices::left_out;
    rules.keep_xattr = [](const std::string& name, std::string&) {
        return name == "security.capability" || name.starts_with("user.");
    };
    return rules;
}

}  // namespace homeslice::oci
