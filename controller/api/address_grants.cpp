#include "controller/api/address_grants.h"

#include "base/ipv6.h"
#include "pki/grant.h"

namespace homeslice::controller {
namespace {

// Raw addresses of a picture that was made here.
Ipv6Address addressOf(const std::string& bytes) { return Ipv6Address::fromBytes(bytes).value_or(Ipv6Address()); }

}  // namespace

void AddressGrants::add(const std::string& node, bool home_agent, v1::DesiredState& desired) const {
    for (v1::DesiredSliver& sliver : *desired.mutable_slivers()) {
        pki::AddressClaim claim{node, addressOf(sliver.home_address()), 0, sliver.generation()};
        sliver.set_home_address_grant(pki::grantOf(key_, claim));
        claim.home_address = addressOf(sliver.slice_address());
        claim.binding_id = static_cast<uint16_t>(sliver.sliver().index());
        sliver.set_slice_address_grant(pki::grantOf(key_, claim));
    }
    if (home_agent) desired.set_grant_key(key_);
}

}  // namespace homeslice::controller
