#include "noded/api/inspect.h"

#include <nlohmann/json.hpp>

#include "base/ipv4.h"
#include "base/status.h"

namespace homeslice::api {
namespace {

using nlohmann::json;

json sliversOf(const sliver::Manager& manager) {
    const std::string text = manager.inspect();
    json parsed = json::parse(text, nullptr, false);
    return parsed.is_discarded() ? json(text) : parsed;
}

json countersOf(mobility::Forwarder& forwarder) {
    const auto counters = forwarder.counters();
    if (!counters.ok()) return {{"error", messageOf(counters.status())}};
    return {{"encapsulated_packets", counters->encapsulated_packets},
            {"encapsulated_bytes", counters->encapsulated_bytes},
            {"decapsulated_packets", counters->decapsulated_packets},
            {"decapsulated_bytes", counters->decapsulated_bytes},
            {"local_packets", counters->local_packets},
            {"dropped_spoofed_source", counters->dropped_spoofed_source},
            {"dropped_untrusted_tunnel", counters->dropped_untrusted_tunnel},
            {"dropped_not_exposed", counters->dropped_not_exposed},
            {"dropped_no_sliver", counters->dropped_no_sliver},
            {"dropped_malformed", counters->dropped_malformed},
            {"packet_too_big", counters->packet_too_big},
            {"path_mtu_changes", counters->path_mtu_changes}};
}

json boundAddressesOf(mobility::Forwarder& forwarder) {
    const auto addresses = forwarder.boundAddresses();
    if (!addresses.ok()) return {{"error", messageOf(addresses.status())}};
    json list = json::array();
    for (const Ipv6Address& address : *addresses) list.push_back(address.toString());
    return list;
}

json registrationsOf(mobility::AccessGateway& gateway) {
    json list = json::array();
    for (const auto& registration : gateway.registrations()) {
        list.push_back({{"home_address", registration.key.home_address.toString()},
                        {"binding_id", registration.key.binding_id},
                        {"generation", registration.generation},
                        {"registered", registration.registered},
                        {"status", static_cast<int>(registration.status)}});
    }
    return list;
}

json bindingCacheOf(mobility::HomeAgent& home_agent) {
    json list = json::array();
    for (const auto& [binding, counters, round_trip] : home_agent.list()) {
        list.push_back({{"home_address", binding.key.home_address.toString()},
                        {"binding_id", binding.key.binding_id},
                        {"care_of_address", addressText(binding.care_of_address)},
                        {"sequence", binding.sequence},
                        {"generation", binding.generation},
                        {"lifetime_s", binding.lifetime_s},
                        {"registered", formatUtc(binding.registered)},
                        {"forwarded_packets", counters.packets},
                        {"forwarded_bytes", counters.bytes},
                        {"round_trip_us", round_trip ? json(round_trip->count()) : json(nullptr)}});
    }
    return list;
}

json natBindingsOf(mobility::Forwarder& forwarder) {
    json list = json::array();
    for (const auto& [care_of, seen] : forwarder.natBindings())
        list.push_back({{"care_of_address", addressText(care_of)}, {"seen_at", endpointText(seen.address, seen.port)}});
    return list;
}

}  // namespace

std::string inspect(const InspectedParts& parts) {
    const auto [pool_size, pool_ready] = parts.manager.poolLevel();
    json dump = {{"slivers", sliversOf(parts.manager)},
                 {"pool", {{"size", pool_size}, {"ready", pool_ready}}},
                 {"forwarder", countersOf(parts.forwarder)},
                 {"sliver_mtu", parts.forwarder.sliverMtu()},
                 {"bound_addresses", boundAddressesOf(parts.forwarder)},
                 {"registrations", registrationsOf(parts.gateway)}};
    if (parts.home_agent != nullptr) {
        dump["binding_cache"] = bindingCacheOf(*parts.home_agent);
        dump["nat_bindings"] = natBindingsOf(parts.forwarder);
    }
    if (parts.duty != nullptr) dump["advertisements_refused"] = parts.duty->refusedAdvertisements();
    return dump.dump(2, ' ', false, json::error_handler_t::replace);
}

}  // namespace homeslice::api
