#include "pki/identity.h"

#include "base/names.h"
#include "base/status.h"

namespace homeslice::pki {
namespace {

const std::string kScheme = "homeslice:";
constexpr size_t kEnrolmentDigits = 32;  // of randomId()

bool isEnrolment(const std::string& text) {
    return text.size() == kEnrolmentDigits && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

}  // namespace

const char* toString(Kind kind) {
    switch (kind) {
        case Kind::controller:
            return "controller";
        case Kind::node:
            return "node";
        case Kind::user:
            return "user";
    }
    return "unknown";
}

std::string describe(const Identity& identity) {
    if (identity.kind == Kind::controller) return "the controller";
    return std::string(toString(identity.kind)) + " '" + identity.name + "'";
}

std::string toUri(const Identity& identity) {
    return kScheme + toString(identity.kind) + "/" + identity.name + "/" + identity.enrolment;
}

absl::StatusOr<Identity> parseUri(const std::string& uri) {
    const auto bad = [&] { return invalidArgument("\"" + uri.substr(0, 120) + "\" is no identity"); };
    if (!uri.starts_with(kScheme)) return bad();
    const std::string text = uri.substr(kScheme.size());
    const size_t first = text.find('/');
    const size_t second = first == std::string::npos ? first : text.find('/', first + 1);
    if (second == std::string::npos) return bad();
    for (const Kind kind : {Kind::controller, Kind::node, Kind::user}) {
        if (text.substr(0, first) != toString(kind)) continue;
        Identity identity{kind, text.substr(first + 1, second - first - 1), text.substr(second + 1)};
        if (!checkName("name", identity.name).ok() || !isEnrolment(identity.enrolment)) return bad();
        return identity;
    }
    return bad();
}

std::string nodeServerName(const std::string& node) { return node + "." + kAnyNodeName; }

std::vector<std::string> serverNamesOf(const Identity& identity) {
    if (identity.kind == Kind::controller) return {kControllerName};
    if (identity.kind == Kind::node) return {nodeServerName(identity.name), kAnyNodeName};
    return {};
}

}  // namespace homeslice::pki
