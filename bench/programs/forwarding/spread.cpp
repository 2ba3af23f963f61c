#include "spread.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <cstring>
#include <random>
#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "traffic.h"

namespace homeslice::bench {
namespace {

constexpr uint32_t kFirst = 0x1000000;  // interface id of the first address that is bound
constexpr size_t kDatagram = 1200;      // bytes; about what a path takes without asking

Ipv6Address parsed(const char* text) { return Ipv6Address::parse(text).value_or(Ipv6Address()); }

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
        const uint32_t id = htonl(kFirst + any(random));
        std::memcpy(to.sin6_addr.s6_addr + 12, &id, sizeof(id));
        if (::sendto(fd.get(), data.data(), data.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof(to)) < 0)
            return errnoStatus(errno, "send to " + std::string(net));
        ++sent;
    }
    return static_cast<double>(sent) / std::chrono::duration<double>(Monotonic::now() - begin).count();
}

struct Spread {
    const char* net;
    bool all;
    double rate = 0;
};

}  // namespace

absl::Status fill(Network& network, unsigned count) {
    const mobility::CareOfSet care_of{.members = {{.address = parsed(kSinkCareOf)}}};
    const Ipv6Address net = parsed(kFullNet);
    for (unsigned i = 0; i < count; ++i)
        HS_RETURN_IF_ERROR(network.full_forwarder->setCareOf(net.withInterfaceId(kFirst + i), care_of));
    return absl::OkStatus();
}

absl::Status measureSpread(Network& network, unsigned bindings, unsigned rounds, std::chrono::milliseconds duration,
                           Results& results) {
    HS_ASSIGN_OR_RETURN(const mobility::ForwarderCounters before, network.full_forwarder->counters());
    double sent = 0;
    for (unsigned round = 0; round < rounds; ++round) {
        Spread turns[] = {{kSinkNet, false}, {kFullNet, false}, {kSinkNet, true}, {kFullNet, true}};
        for (size_t i = 0; i < std::size(turns); ++i) {
            Spread& turn = turns[(i + round) % std::size(turns)];
            HS_ASSIGN_OR_RETURN(turn.rate, sendSpread(network.client, turn.net, turn.all ? bindings : 1, duration));
        }
        results.spread.push_back((turns[3].rate / turns[2].rate) / (turns[1].rate / turns[0].rate));
        sent += (turns[1].rate + turns[3].rate) * std::chrono::duration<double>(duration).count();
    }
    HS_ASSIGN_OR_RETURN(const mobility::ForwarderCounters after, network.full_forwarder->counters());
    const auto forwarded = static_cast<double>(after.encapsulated_packets - before.encapsulated_packets);
    if (forwarded < 0.99 * sent) return internalError("datagrams to bound addresses were lost on their way");
    return absl::OkStatus();
}

}  // namespace homeslice::bench
