// What a sliver is to be, as the controller says it. Plain values; every folder of noded may use them.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "base/ipv6.h"

namespace homeslice {

// Identity of a sliver; survives every move.
struct SliverId {
    std::string slice;   // a DNS label, see base/names.h
    uint32_t index = 0;  // 1 to 65535

    auto operator<=>(const SliverId&) const = default;
    std::string toString() const { return slice + "/" + std::to_string(index); }  // "web/2"
    std::string fileName() const { return slice + "." + std::to_string(index); }  // "web.2", safe in paths
};

// Limits; 0 means "none of its own".
struct Resources {
    uint32_t cpu_millis = 0;  // thousandths of a CPU
    uint64_t memory_bytes = 0;
    uint32_t pids = 0;

    bool operator==(const Resources&) const = default;
};

struct ExposedPort {
    uint8_t protocol = 0;  // IPPROTO_TCP or IPPROTO_UDP
    uint16_t port = 0;     // host byte order

    auto operator<=>(const ExposedPort&) const = default;
};

enum class DesiredRun { running, prepared, stopped };

// Where the disk of a moving sliver is to be had.
struct DiskSource {
    Ipv6Address node;  // underlay address
    uint16_t api_port = 0;
    uint64_t generation = 0;  // under which it ran there

    bool operator==(const DiskSource&) const = default;
};

struct SliverSpec {
    SliverId id;
    uint64_t generation = 0;  // the controller's fencing number
    DesiredRun run = DesiredRun::running;
    std::string image;              // name, for people
    std::string image_digest;       // sha256:<64 hex digits>
    std::vector<std::string> argv;  // empty: the image's own command; if it has none either, the sliver idles
    Resources resources;
    std::vector<ExposedPort> exposed;
    Ipv6Address home_address;
    Ipv6Address slice_address;
    bool has_disk_source = false;
    DiskSource disk_source;

    bool operator==(const SliverSpec&) const = default;
};

// JSON text for the node's store; parse() gives INVALID_ARGUMENT on anything malformed.
std::string toJson(const SliverSpec& spec);
absl::StatusOr<SliverSpec> parseSliverSpec(const std::string& json);

}  // namespace homeslice
