#include "oci/member_path.h"

#include <string_view>

#include "base/status.h"
#include "oci/limits.h"

namespace homeslice::oci {
namespace {

absl::Status refuse(const char* raw, const char* reason) {
    std::string message("'");
    return invalidArgument(message.append(raw).append("' ").append(reason));
}

}  // namespace

absl::StatusOr<std::string> memberPath(const char* raw) {
    if (raw == nullptr) return invalidArgument("a member has no name");
    std::string_view rest(raw);
    if (rest.size() > kMaxPathLength) return invalidArgument("a member's name is longer than a path may be");
    if (rest.starts_with('/')) return refuse(raw, "is an absolute path");
    std::string path;
    size_t depth = 0;
    while (!rest.empty()) {
        const size_t end = rest.find('/');
        const std::string_view part = rest.substr(0, end);
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
        if (part.empty() || part == ".") continue;
        if (part == "..") return refuse(raw, "leads out of its root");
        if (++depth > kMaxPathDepth)
            return invalidArgument("a member lies deeper than " + std::to_string(kMaxPathDepth));
        if (!path.empty()) path += '/';
        path += part;
    }
    return path;
}

std::string parentOf(const std::string& path) {
    const size_t slash = path.rfind('/');
    return slash == std::string::npos ? "" : path.substr(0, slash);
}

std::string baseOf(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace homeslice::oci
