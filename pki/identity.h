// Who a certificate speaks for.
#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <vector>

namespace homeslice::pki {

enum class Kind { controller, node, user };

// A subject's enrolment is a random identifier that changes when it is revoked: a certificate counts only as long as it
// carries the present one, so nobody needs a list of what was ever issued.
struct Identity {
    Kind kind = Kind::user;
    std::string name;
    std::string enrolment;

    bool operator==(const Identity&) const = default;
};

const char* toString(Kind kind);
// "node 'node1'"
std::string describe(const Identity& identity);

// The form in a certificate's subject alternative name (RFC 5280, 4.2.1.6): "homeslice:node/node1/<enrolment>".
std::string toUri(const Identity& identity);
// INVALID_ARGUMENT for anything else.
absl::StatusOr<Identity> parseUri(const std::string& uri);

// What clients check a server's certificate for. The names never reach a resolver; addresses, which change, are in no
// certificate. A user has none: its certificate must not pass for a server's.
inline const std::string kControllerName = "controller.homeslice.internal";
inline const std::string kAnyNodeName = "node.homeslice.internal";
std::string nodeServerName(const std::string& node);
std::vector<std::string> serverNamesOf(const Identity& identity);

}  // namespace homeslice::pki
