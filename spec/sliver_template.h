// What the slivers of a slice have in common: what runs in them, and how it is kept. Plain values.
#pragma once

#include <absl/status/status.h>

#include <chrono>
#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "base/ipv6.h"
#include "spec/balance.h"
#include "spec/resources.h"

namespace homeslice {

struct ExposedPort {
    uint8_t protocol = 0;  // IPPROTO_TCP or IPPROTO_UDP
    uint16_t port = 0;     // host byte order

    auto operator<=>(const ExposedPort&) const = default;
};

// A file that is put into the sliver's disk before its first start.
struct File {
    std::string path;  // absolute, inside
    std::string content;
    uint32_t mode = 0644;  // permission bits

    bool operator==(const File&) const = default;
};

// A directory of the node that is bound into the sliver; the node must allow it.
struct Volume {
    std::string source;  // absolute, on the node
    std::string target;  // absolute, inside
    bool read_only = false;

    bool operator==(const Volume&) const = default;
};

// What is done when the sliver's command has ended by itself.
enum class RestartWhen { never, on_failure, always };

// A command that is run inside again and again; exit status 0 says that all is well.
struct HealthCheck {
    std::vector<std::string> argv;  // empty: no check
    std::chrono::milliseconds interval{1000};
    std::chrono::milliseconds timeout{1000};
    std::chrono::milliseconds start_period{0};  // failures in it do not count
    uint32_t failures = 3;                      // in a row until it is unhealthy

    bool operator==(const HealthCheck&) const = default;
};

struct StopPolicy {
    int signal = 15;                         // SIGTERM
    std::chrono::milliseconds grace{10000};  // then SIGKILL

    bool operator==(const StopPolicy&) const = default;
};

// A line of the sliver's hosts file.
struct HostEntry {
    Ipv6Address address;
    std::string name;

    bool operator==(const HostEntry&) const = default;
};

struct Resolver {
    std::vector<std::string> servers;  // IPv4 or IPv6 addresses
    std::vector<std::string> search;   // domains

    bool operator==(const Resolver&) const = default;
};

// When the log is rotated, and what is kept.
struct LogPolicy {
    uint64_t max_bytes = uint64_t{10} << 20;  // of a file
    uint32_t files = 2;                       // the one that is written included

    bool operator==(const LogPolicy&) const = default;
};

struct SliverTemplate {
    std::string image;              // name, for people
    std::string image_digest;       // sha256:<64 hex digits>
    std::vector<std::string> argv;  // empty: the image's own command; if it has none either, the sliver idles
    std::vector<std::string> env;   // "NAME=value", over the image's
    std::string user;               // "name|uid[:group|gid]"; empty: the image's
    std::string working_directory;  // absolute; empty: the image's
    std::string hostname;           // empty: "slice-index"
    Resources resources;
    std::vector<ExposedPort> exposed;
    std::vector<File> files;
    std::vector<Volume> volumes;
    RestartWhen restart = RestartWhen::never;
    HealthCheck health;
    StopPolicy stop;
    std::vector<HostEntry> hosts;
    Resolver resolver;
    LogPolicy log;
    Balance balance = Balance::hash;  // of the flows to the slice's address

    bool operator==(const SliverTemplate&) const = default;
};

// INVALID_ARGUMENT, naming the field, on what no node could make. An absent image_digest is accepted.
absl::Status check(const SliverTemplate& base);
absl::Status check(const Resources& resources);

}  // namespace homeslice
