#include "noded/mobility/port_table.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <span>

#include "base/log.h"
#include "base/status.h"

namespace homeslice::mobility {
namespace {

hs_exposed exposedKey(uint32_t link, const ExposedPort& exposed) {
    return {.port_link = link, .port = htons(exposed.port), .protocol = exposed.protocol, .reserved = 0};
}

hs_port toWire(const SliverPort& port) {
    hs_port result{};
    result.home_address = mobility::toWire(port.home_address);
    result.slice_address = mobility::toWire(port.slice_address);
    std::memcpy(result.host_mac, port.host_mac.data(), sizeof(result.host_mac));
    std::memcpy(result.sliver_mac, port.sliver_mac.data(), sizeof(result.sliver_mac));
    if (port.queued) result.flags |= HS_PORT_QUEUED;
    return result;
}

hs_local without(const hs_local& local, uint32_t link) {
    hs_local result{};
    for (const uint32_t other : std::span(local.links, local.count))
        if (other != link) result.links[result.count++] = other;
    return result;
}

}  // namespace

absl::Status PortTable::add(const SliverPort& port, uint32_t link) {
    // The sliver may have had another link, and the index may have belonged to another sliver, when noded last looked.
    if (const auto before = programs_.localSlivers().get(mobility::toWire(port.home_address));
        before && before->count == 1 && before->links[0] != link)
        HS_RETURN_IF_ERROR(forget(before->links[0], port.slice_address));
    if (const auto before = programs_.ports().get(link)) {
        const Ipv6Address home = fromWire(before->home_address);
        if (home != port.home_address) {
            HS_RETURN_IF_ERROR(withdraw(home, link));
            HS_RETURN_IF_ERROR(withdraw(fromWire(before->slice_address), link));
        }
    }
    HS_RETURN_IF_ERROR(programs_.ports().put(link, toWire(port)));
    return setExposed(link, port.exposed);
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
    HS_RETURN_IF_ERROR(map.put(mobility::toWire(port.home_address), {.count = 1, .links = {link}}));
    if (port.slice_address.isUnspecified()) return absl::OkStatus();
    hs_local sharers = map.get(mobility::toWire(port.slice_address)).value_or(hs_local{});
    const std::span links(sharers.links, sharers.count);
    if (std::find(links.begin(), links.end(), link) != links.end()) return absl::OkStatus();
    if (sharers.count == HS_MAX_LOCAL) {
        logWarning("{} is served by {} slivers here; {} gets nothing of it", port.slice_address.toString(),
                   sharers.count, port.link_name);
        return absl::OkStatus();
    }
    sharers.links[sharers.count++] = link;
    return map.put(mobility::toWire(port.slice_address), sharers);
}

absl::Status PortTable::remove(const SliverPort& port) {
    const auto local = programs_.localSlivers().get(mobility::toWire(port.home_address));
    if (!local || local->count == 0) return absl::OkStatus();
    HS_RETURN_IF_ERROR(withdraw(port.home_address, local->links[0]));
    return forget(local->links[0], port.slice_address);
}

absl::Status PortTable::withdraw(const Ipv6Address& address, uint32_t link) {
    const auto map = programs_.localSlivers();
    const auto local = map.get(mobility::toWire(address));
    if (!local) return absl::OkStatus();
    const hs_local rest = without(*local, link);
    return rest.count == 0 ? map.erase(mobility::toWire(address)) : map.put(mobility::toWire(address), rest);
}

absl::Status PortTable::forget(uint32_t link, const Ipv6Address& slice_address) {
    HS_RETURN_IF_ERROR(withdraw(slice_address, link));
    HS_RETURN_IF_ERROR(setExposed(link, {}));
    return programs_.ports().erase(link);
}

}  // namespace homeslice::mobility
