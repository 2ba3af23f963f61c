#include "spread.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/socket.h>

#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "base/status.h"
#include "traffic.h"

namespace homeslice::bench {
namespace {

constexpr uint32_t kSlivers = 1000;  // of each slice, as sliced numbers them
constexpr uint32_t kFirstSlice = 0x1000;
constexpr uint32_t kFirstSliver = 0x10001;
constexpr size_t kDatagram = 1200;  // bytes; about what a path takes without asking

Ipv6Address parsed(const char* text) { return Ipv6Address::parse(text).value_or(Ipv6Address()); }

// Number `i` of the addresses below the /52 of `net`.
void setNumber(in6_addr& net, uint32_t i) {
    const uint16_t slice = htons(static_cast<uint16_t>(kFirstSlice + i / kSlivers));
    const uint32_t sliver = htonl(kFirstSliver + i % kSlivers);
    std::memcpy(net.s6_addr + 6, &slice, sizeof(slice));
    std::memcpy(net.s6_addr + 12, &sliver, sizeof(sliver));
}

// Datagrams a second that a machine sends to `count` addresses below `net` at random. The whole path is worked off as
// part of sending.
absl::StatusOr<double> sendSpread(const Box& from, const char* net, unsigned count,
                                  std::chrono::milliseconds duration) {
    constexpr unsigned kBetweenLooks = 64;
    HS_ASSIGN_OR_RETURN(const UniqueFd fd, openSocket(from, SOCK_DGRAM, "", 0));
    static std::minstd_rand random;
    std::uniform_int_distribution<uint32_t> any(0, count - 1);
    const std::string data(kDatagram, 'x');
    sockaddr_in6 to{};
    to.sin6_family = AF_INET6;
    to.sin6_port = htons(kEchoPort);
    to.sin6_addr = parsed(net).toIn6();
    uint64_t sent = 0;
    const auto begin = Monotonic::now();
    while (sent % kBetweenLooks != 0 || Monotonic::now() < begin + duration) {
        setNumber(to.sin6_addr, any(random));
        if (::sendto(fd.get(), data.data(), data.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof(to)) < 0)
            return errnoStatus(errno, "send to " + std::string(net));
        ++sent;
    }
    return static_cast<double>(sent) / std::chrono::duration<double>(Monotonic::now() - begin).count();
}

// Datagrams a second, to one address below `net` and to all.
struct Way {
    const char* net;
    double one = 0;
    double all = 0;
    double sent = 0;  // so far
};

// Each way in its turn, each round beginning with another one.
absl::Status takeTurns(const Box& from, std::vector<Way>& ways, unsigned count, unsigned round,
                       std::chrono::milliseconds duration) {
    const size_t turns = 2 * ways.size();
    for (size_t i = 0; i < turns; ++i) {
        const size_t turn = (i + round) % turns;
        Way& way = ways[turn / 2];
        const bool all = turn % 2 != 0;
        HS_ASSIGN_OR_RETURN(const double rate, sendSpread(from, way.net, all ? count : 1, duration));
        (all ? way.all : way.one) = rate;
        way.sent += rate * std::chrono::duration<double>(duration).count();
    }
    return absl::OkStatus();
}

// What the machine's kernel has forwarded by its routes.
absl::StatusOr<double> forwardedBy(const Box& box) {
    absl::StatusOr<std::string> counters = internalError("cannot enter the network namespace");
    box.run([&] { counters = readFile("/proc/thread-self/net/snmp6"); });
    if (!counters.ok()) return counters.status();
    const std::string name = "Ip6OutForwDatagrams";
    const size_t at = counters->find(name);
    if (at == std::string::npos) return internalError("no " + name);
    return std::strtod(counters->c_str() + at + name.size(), nullptr);
}

}  // namespace

absl::Status fill(Network& network, unsigned count) {
    const mobility::CareOfSet care_of{.members = {{.address = parsed(kSinkCareOf)}}};
    in6_addr home_address = parsed(kFullNet).toIn6();
    for (unsigned i = 0; i < count; ++i) {
        setNumber(home_address, i);
        HS_RETURN_IF_ERROR(network.full_forwarder->setCareOf(Ipv6Address(home_address), care_of));
    }
    return absl::OkStatus();
}

absl::Status route(Network& network, unsigned count) {
    const std::string net = fmt::format("{:x}::", kFirstSlice);
    const std::string stem = std::string(kRoutesNet).substr(0, std::string_view(kRoutesNet).size() - net.size());
    return network.routes_box.sh(
        fmt::format("awk 'BEGIN {{ for (i = 0; i < {}; i++) printf \"route add {}%x::1:%x/128 via {}\\n\", "
                    "{} + i / {}, {} + i % {} }}' | ip -6 -batch -",
                    count, stem, kRoutesHop, kFirstSlice, kSlivers, kFirstSliver % 0x10000, kSlivers));
}

absl::Status measureSpread(Network& network, const Extent& extent, Results& results) {
    std::vector<Way> ways{{kSinkNet}, {kFullNet}};
    if (extent.routes) ways.push_back({kRoutesNet});
    HS_ASSIGN_OR_RETURN(const mobility::ForwarderCounters before, network.full_forwarder->counters());
    HS_ASSIGN_OR_RETURN(const double routed_before, forwardedBy(network.routes_box));
    for (unsigned round = 0; round < extent.spread_rounds; ++round) {
        HS_RETURN_IF_ERROR(takeTurns(network.client, ways, extent.bindings, round, extent.duration));
        const auto share = [&](const Way& way) { return way.all / way.one / (ways[0].all / ways[0].one); };
        results.spread.push_back(share(ways[1]));
        if (extent.routes) results.routes_spread.push_back(share(ways[2]));
    }
    HS_ASSIGN_OR_RETURN(const mobility::ForwarderCounters after, network.full_forwarder->counters());
    HS_ASSIGN_OR_RETURN(const double routed, forwardedBy(network.routes_box));
    const auto forwarded = static_cast<double>(after.encapsulated_packets - before.encapsulated_packets);
    if (forwarded < 0.99 * ways[1].sent) return internalError("datagrams to bound addresses were lost on their way");
    if (extent.routes && routed - routed_before < 0.99 * ways[2].sent)
        return internalError("datagrams by a plain router were lost on their way");
    return absl::OkStatus();
}

}  // namespace homeslice::bench
