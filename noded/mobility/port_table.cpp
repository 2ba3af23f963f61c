#include "noded/mobility/port_table.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <span>

#include "base/ipv4.h"
#include "base/log.h"
#include "base/status.h"
#include "noded/mobility/care_of_set.h"

namespace homeslice::mobility {
namespace {

hs_exposed exposedKey(uint32_t link, const ExposedPort& exposed) {
    return {.port_link = link, .port = htons(exposed.port), .protocol = exposed.protocol, .reserved = 0};
}

hs_port toWire(const SliverPort& port) {
    hs_port result{};
    result.home_address = mobility::toWire(port.home_address);
    result.slice_address = mobility::toWire(port.slice_address);
    std::memcpy(result.link_addresses.source, port.host_mac.data(), port.host_mac.size());
    std::memcpy(result.link_addresses.destination, port.sliver_mac.data(), port.sliver_mac.size());
    if (isIpv4(port.ipv4_address)) result.ipv4_address = toIn4(port.ipv4_address).s_addr;
    if (port.queued) result.flags |= HS_PORT_QUEUED;
    return result;
}

hs_set_key sharersOf(const Ipv6Address& slice_address) {
    return {.home_address = mobility::toWire(slice_address), .scope = HS_SCOPE_LOCAL};
}

}  // namespace

absl::Status PortTable::add(const SliverPort& port, uint32_t link) {
    // The sliver may have had another link, and the index may have belonged to another sliver, when noded last looked.
    if (const auto before = programs_.localSlivers().get(mobility::toWire(port.home_address));
        before && before->link != link)
        HS_RETURN_IF_ERROR(forget(before->link, port.slice_address));
    const auto before = programs_.ports().get(link);
    if (before && fromWire(before->home_address) != port.home_address) {
        HS_RETURN_IF_ERROR(withdrawOwn(fromWire(before->home_address), link));
        HS_RETURN_IF_ERROR(withdrawShare(fromWire(before->slice_address), link));
    }
    HS_RETURN_IF_ERROR(programs_.ports().put(link, toWire(port)));
    // What was no port exposes nothing that would have to be looked for among all slivers' ports.
    return before || !port.exposed.empty() ? setExposed(link, port.exposed) : absl::OkStatus();
}

absl::Status PortTable::setExposed(uint32_t link, const std::vector<ExposedPort>& exposed) {
    const auto map = programs_.exposed();
    const std::set<ExposedPort> wanted(exposed.begin(), exposed.end());
    for (const ExposedPort& port : wanted) HS_RETURN_IF_ERROR(map.put(exposedKey(link, port), 1));
    for (const hs_exposed& key : map.keys()) {
        const ExposedPort port{.protocol = key.protocol, .port = ntohs(key.port)};
        if (key.port_link == link && !wanted.contains(port)) HS_RETURN_IF_ERROR(map.erase(key));
    }
    return absl::OkStatus();
}

absl::Status PortTable::letIn(const SliverPort& port, uint32_t link) {
    const auto map = programs_.localSlivers();
    HS_RETURN_IF_ERROR(map.put(mobility::toWire(port.home_address), {.link = link, .shared = 0}));
    if (port.slice_address.isUnspecified()) return absl::OkStatus();
    Sharer& sharer = sharers_[port.home_address];
    sharer.port = port;
    sharer.link = link;
    return settle(sharer);
}

absl::Status PortTable::setServing(const Ipv6Address& home_address, bool serving) {
    const auto sharer = sharers_.find(home_address);
    if (sharer == sharers_.end()) return absl::OkStatus();
    sharer->second.serving = serving;
    return settle(sharer->second);
}

absl::Status PortTable::settle(const Sharer& sharer) {
    const Ipv6Address& slice_address = sharer.port.slice_address;
    if (!sharer.serving) return withdrawShare(slice_address, sharer.link);
    HS_RETURN_IF_ERROR(share(sharer.port, sharer.link));
    return programs_.localSlivers().put(mobility::toWire(slice_address), {.link = 0, .shared = 1});
}

absl::Status PortTable::share(const SliverPort& port, uint32_t link) {
    std::vector<hs_member> members = sets_.members(sharersOf(port.slice_address));
    std::erase_if(members,
                  [&](const hs_member& member) { return member.link == link || member.id == port.binding_id; });
    if (members.size() == HS_MAX_MEMBERS) {
        logWarning("{} is served by {} slivers here; {} gets nothing of it", port.slice_address.toString(),
                   members.size(), port.link_name);
        return absl::OkStatus();
    }
    members.push_back({.care_of = {},
                       .link = link,
                       .id = port.binding_id,
                       .weight = port.draining ? uint16_t{0} : port.weight,
                       .report = 0,
                       .load = 0});
    return sets_.put(sharersOf(port.slice_address), std::move(members), port.balance);
}

absl::Status PortTable::remove(const SliverPort& port) {
    sharers_.erase(port.home_address);
    const auto local = programs_.localSlivers().get(mobility::toWire(port.home_address));
    if (!local) return absl::OkStatus();
    HS_RETURN_IF_ERROR(withdrawOwn(port.home_address, local->link));
    return forget(local->link, port.slice_address);
}

absl::Status PortTable::withdrawOwn(const Ipv6Address& home_address, uint32_t link) {
    const auto map = programs_.localSlivers();
    const auto local = map.get(mobility::toWire(home_address));
    return local && local->link == link ? map.erase(mobility::toWire(home_address)) : absl::OkStatus();
}

absl::Status PortTable::withdrawShare(const Ipv6Address& slice_address, uint32_t link) {
    const hs_set_key key = sharersOf(slice_address);
    const auto before = programs_.sets().get(key);
    if (!before) return absl::OkStatus();
    std::vector<hs_member> rest = sets_.members(key);
    std::erase_if(rest, [&](const hs_member& member) { return member.link == link; });
    if (!rest.empty()) return sets_.put(key, std::move(rest), balanceOf(*before));
    HS_RETURN_IF_ERROR(programs_.localSlivers().erase(key.home_address));
    return sets_.erase(key);
}

absl::Status PortTable::forget(uint32_t link, const Ipv6Address& slice_address) {
    HS_RETURN_IF_ERROR(withdrawShare(slice_address, link));
    HS_RETURN_IF_ERROR(setExposed(link, {}));
    return programs_.ports().erase(link);
}

}  // namespace homeslice::mobility
