// The node's record of who sent what, in a file of its own (SQLite): kept for a time, and no more of one slice than
// kMostOfASlice, the oldest going first, so that no slice can crowd out another's. Threads: one caller at a time.
#pragma once

#include <absl/status/statusor.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ipv6.h"
#include "noded/audit/owners.h"
#include "noded/store/sqlite.h"

namespace homeslice::audit {

// Times are microseconds since the Unix epoch.
struct Flow {
    Owner owner;               // without a slice: not known
    Ipv6Address home_address;  // the sliver's own
    uint8_t protocol = 0;
    Ipv6Address source;  // as sent; unspecified, as the destination and both ports: many flows of one protocol
    uint16_t source_port = 0;
    Ipv6Address destination;
    uint16_t destination_port = 0;
    int64_t first_us = 0;
    int64_t last_us = 0;
    uint64_t packets = 0;
    uint64_t bytes = 0;

    bool operator==(const Flow&) const = default;
};

// What is unset matches all.
struct FlowQuestion {
    std::optional<Ipv6Address> address{};  // home address, or the source as sent
    int64_t from_us = 0;                   // flows that were there between these times
    int64_t until_us = 0;
    std::optional<Ipv6Address> peer{};
    uint16_t port = 0;
    uint16_t peer_port = 0;
    uint32_t most = 1000;
};

struct FoundFlows {
    std::vector<Flow> flows;  // newest first
    bool truncated = false;
};

// The longest that one record may last: a question then has to look back no further.
inline constexpr std::chrono::minutes kLongestFlow{10};
inline constexpr uint64_t kMostOfASlice = 500'000;

class FlowLog {
public:
    static absl::StatusOr<FlowLog> open(const std::string& path);

    // Adds flows, or what has become of those with the same ends and beginning.
    absl::Status put(const std::vector<Flow>& flows);
    absl::StatusOr<FoundFlows> find(const FlowQuestion& question);
    // Drops flows that ended before `oldest_us`, and of each slice all but the newest `most_of_a_slice`.
    absl::Status trim(int64_t oldest_us, uint64_t most_of_a_slice = kMostOfASlice);

private:
    explicit FlowLog(store::Database database) : database_(std::move(database)) {}
    absl::Status putAll(const std::vector<Flow>& flows);

    store::Database database_;
};

}  // namespace homeslice::audit
