#include "noded/mobility/flow_records_map.h"

#include <arpa/inet.h>

#include "noded/mobility/programs.h"

namespace homeslice::mobility {
namespace {

Monotonic::time_point timeOf(uint64_t ns) { return Monotonic::time_point(std::chrono::nanoseconds(ns)); }

FlowRecord recordOf(const hs_audited_key& key, const hs_audited& audited) {
    return {.home_address = fromWire(audited.home_address),
            .source = fromWire(key.flow.source),
            .destination = fromWire(key.flow.destination),
            .source_port = ntohs(key.flow.source_port),
            .destination_port = ntohs(key.flow.destination_port),
            .protocol = key.flow.protocol,
            .first = timeOf(audited.first_ns),
            .last = timeOf(audited.last_ns),
            .packets = audited.packets,
            .bytes = audited.bytes};
}

}  // namespace

absl::StatusOr<std::vector<FlowRecord>> takeFlowRecords(const BpfMap<hs_audited_key, hs_audited>& map,
                                                        Monotonic::time_point since, Monotonic::time_point ended_before,
                                                        std::chrono::seconds longest) {
    std::vector<FlowRecord> records;
    for (const hs_audited_key& key : map.keys()) {
        const auto audited = map.get(key);
        if (!audited) continue;
        const FlowRecord record = recordOf(key, *audited);
        if (record.last >= since) records.push_back(record);
        // Of one that lasts the rest is a record of its own.
        const bool over = record.last < ended_before || record.last - record.first >= longest;
        if (over) HS_RETURN_IF_ERROR(map.erase(key));
    }
    return records;
}

}  // namespace homeslice::mobility
