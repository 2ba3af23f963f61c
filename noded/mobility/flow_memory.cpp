#include "noded/mobility/flow_memory.h"

#include <arpa/inet.h>

#include "noded/mobility/programs.h"

namespace homeslice::mobility {
namespace {

// The programs look for the member by its id when it is not in its place.
constexpr uint32_t kSomewhere = HS_MAX_MEMBERS;

hs_flow toWire(const ChosenFlow& flow) {
    hs_flow wire{};
    wire.source = mobility::toWire(flow.source);
    wire.destination = mobility::toWire(flow.destination);
    wire.source_port = htons(flow.source_port);
    wire.destination_port = htons(flow.destination_port);
    wire.protocol = flow.protocol;
    wire.scope = HS_SCOPE_CARE_OF;
    return wire;
}

}  // namespace

ChosenFlow fromWire(const hs_flow& flow, uint32_t binding_id) {
    return {.source = fromWire(flow.source),
            .destination = fromWire(flow.destination),
            .source_port = ntohs(flow.source_port),
            .destination_port = ntohs(flow.destination_port),
            .protocol = flow.protocol,
            .binding_id = static_cast<uint16_t>(binding_id)};
}

std::vector<ChosenFlow> rememberedFlows(const BpfMap<hs_flow, hs_chosen>& map) {
    std::vector<ChosenFlow> result;
    map.forEach([&](const hs_flow& flow, const hs_chosen& chosen) {
        if (flow.scope == HS_SCOPE_CARE_OF) result.push_back(fromWire(flow, chosen.id));
    });
    return result;
}

absl::Status rememberFlow(const BpfMap<hs_flow, hs_chosen>& map, const ChosenFlow& flow, bool earlier) {
    const hs_chosen chosen{.id = flow.binding_id, .place = kSomewhere};
    return earlier ? map.putIfAbsent(toWire(flow), chosen) : map.put(toWire(flow), chosen);
}

}  // namespace homeslice::mobility
