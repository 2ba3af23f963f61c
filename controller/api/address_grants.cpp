#include "controller/api/address_grants.h"

#include <algorithm>

#include "base/ipv6.h"

namespace homeslice::controller {
namespace {

// Raw addresses of a picture that was made here.
Ipv6Address addressOf(const std::string& bytes) { return Ipv6Address::fromBytes(bytes).value_or(Ipv6Address()); }

}  // namespace

void AddressGrants::add(const std::string& node, bool home_agent, const std::vector<std::string>& former,
                        v1::DesiredState& desired) const {
    const bool knows = std::find(former.begin(), former.end(), node) != former.end();
    const std::string key = knows ? pki::nodeGrantKeyOf(keys_, node) : keys_.shared;
    for (v1::DesiredSliver& sliver : *desired.mutable_slivers()) {
        pki::AddressClaim claim{node, addressOf(sliver.home_address()), 0, sliver.generation()};
        sliver.set_home_address_grant(pki::grantOf(key, claim));
        claim.home_address = addressOf(sliver.slice_address());
        claim.binding_id = static_cast<uint16_t>(sliver.sliver().index());
        sliver.set_slice_address_grant(pki::grantOf(key, claim));
    }
    if (!home_agent) return;
    desired.set_grant_key(keys_.shared);
    for (const std::string& other : former) {
        if (other == node) continue;  // not even now that it is one again
        v1::NodeGrantKey& own = *desired.add_node_grant_keys();
        own.set_node(other);
        own.set_key(pki::nodeGrantKeyOf(keys_, other));
    }
}

}  // namespace homeslice::controller
