#include "noded/mobility/nat_map.h"

#include <arpa/inet.h>

#include "base/ipv4.h"
#include "base/status.h"

namespace homeslice::mobility {
namespace {

hs_nat_binding toWire(const UdpEndpoint& endpoint) {
    return {.address = toIn4(endpoint.address).s_addr, .port = htons(endpoint.port), .reserved = 0};
}

UdpEndpoint fromWire(const hs_nat_binding& binding) {
    return {.address = mappedAddress({binding.address}), .port = ntohs(binding.port)};
}

}  // namespace

// Who is seen there comes before what is sent there: an answer finds its node known.
absl::Status putNatBinding(const Programs& programs, const Ipv6Address& care_of_address,
                           const std::optional<UdpEndpoint>& seen) {
    const hs_address key = mobility::toWire(care_of_address);
    const auto before = programs.natBindings().get(key);
    if (seen) {
        HS_RETURN_IF_ERROR(programs.natPeers().put(toWire(*seen), key));
        HS_RETURN_IF_ERROR(programs.natBindings().put(key, toWire(*seen)));
    } else {
        HS_RETURN_IF_ERROR(programs.natBindings().erase(key));
    }
    if (!before || (seen && fromWire(*before) == *seen)) return absl::OkStatus();
    // Somebody else may be seen there by now.
    const auto owner = programs.natPeers().get(*before);
    const bool own = owner && mobility::fromWire(*owner) == care_of_address;
    return own ? programs.natPeers().erase(*before) : absl::OkStatus();
}

std::map<Ipv6Address, UdpEndpoint> readNatBindings(const Programs& programs) {
    std::map<Ipv6Address, UdpEndpoint> result;
    const auto map = programs.natBindings();
    for (const hs_address& key : map.keys())
        if (const auto binding = map.get(key)) result[mobility::fromWire(key)] = fromWire(*binding);
    return result;
}

}  // namespace homeslice::mobility
