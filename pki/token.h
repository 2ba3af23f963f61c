// One-time tokens: what somebody who has no certificate yet shows once to get one.
#pragma once

#include <absl/status/statusor.h>

#include <string>

#include "pki/identity.h"

namespace homeslice::pki {

// "node.node1.<secret>.<fingerprint>": whom it is for, 128 random bits, and the authority's fingerprint, by which the
// newcomer knows that it speaks to the right controller before it says the secret.
struct Token {
    Kind kind = Kind::node;
    std::string name;
    std::string secret;
    std::string fingerprint;

    std::string toString() const;
};

// INVALID_ARGUMENT does not repeat the text: it may be most of a secret.
absl::StatusOr<Token> parseToken(const std::string& text);
// What the issuer keeps in the secret's place: its SHA-256, hex.
std::string digestOf(const std::string& secret);

}  // namespace homeslice::pki
