// The controller's word that a node may register a sliver's address: a code over who, what and under which generation
// (HMAC-SHA256, RFC 2104), with a key that the controller shares with the home agents and with nobody else. It needs no
// end of its own: a higher generation outdoes it.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>

#include "base/ipv6.h"

namespace homeslice::pki {

struct AddressClaim {
    std::string node;
    Ipv6Address home_address;
    uint16_t binding_id = 0;
    uint64_t generation = 0;
};

// The same keys for the same authority, so that nothing more than the authority's key has to be kept or shared.
struct GrantKeys {
    std::string shared;    // with the home agents
    std::string withheld;  // the controllers' alone: what nodeGrantKeyOf() is made from
};
absl::StatusOr<GrantKeys> grantKeysOf(const std::string& authority_key_pem);

// What grants of one node are made with, when that node has learnt the shared key: the home agents get this one, the
// node does not. Empty when the system's cryptography fails.
std::string nodeGrantKeyOf(const GrantKeys& keys, const std::string& node);

// What home agents authenticate their messages to each other with: of those who have the grants' key, which are they
// alone. Empty for no key.
std::string advertisementKeyOf(const std::string& grant_key);

// 64 hex digits; empty when the system's cryptography fails.
std::string grantOf(const std::string& key, const AddressClaim& claim);
// In constant time.
bool isGrantOf(const std::string& grant, const std::string& key, const AddressClaim& claim);

}  // namespace homeslice::pki
