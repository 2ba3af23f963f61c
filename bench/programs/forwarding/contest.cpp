#include "contest.h"

#include "base/status.h"
#include "rebinding.h"
#include "statistics.h"
#include "traffic.h"

namespace homeslice::bench {
namespace {

constexpr unsigned kWarmUp = 1;

struct Contestant {
    const Box& from;
    const char* address;
    Path& path;
};

absl::Status measure(const Contestant& contestant, const Extent& extent, bool counts) {
    HS_ASSIGN_OR_RETURN(const double bytes, throughput(contestant.from, contestant.address, extent.duration));
    HS_ASSIGN_OR_RETURN(const std::vector<double> trips,
                        roundTrips(contestant.from, contestant.address, extent.round_trips));
    if (!counts) return absl::OkStatus();
    contestant.path.throughput.push_back(bytes);
    contestant.path.round_trip.push_back(median(trips));
    return absl::OkStatus();
}

absl::Status measureFull(Network& network, const Extent& extent, Results& results) {
    if (extent.full_rounds == 0) return absl::OkStatus();
    HS_RETURN_IF_ERROR(fill(network, extent.bindings));
    results.bindings = extent.bindings;
    for (unsigned round = 0; round < extent.full_rounds + kWarmUp; ++round) {
        HS_ASSIGN_OR_RETURN(const double plain, throughput(network.client, kPlainAddress, extent.duration));
        HS_ASSIGN_OR_RETURN(const double ours, throughput(network.client, kSliverAddress, extent.duration));
        if (round >= kWarmUp) results.full_throughput.push_back(ours / plain);
    }
    return empty(network, extent.bindings);
}

}  // namespace

absl::Status compete(Network& network, const Extent& extent, Results& results) {
    const std::string plain = "plain";
    const std::string direct = "plain, direct";
    results.paths = {{plain, "", {}, {}},     {kHomeAgentPath, plain, {}, {}},
                     {"SRv6", plain, {}, {}}, {"VXLAN", plain, {}, {}},
                     {direct, "", {}, {}},    {kOptimizedPath, direct, {}, {}}};
    const Server at_sliver(network.sliver);
    const Server at_host(network.plain_host);
    std::vector<Path>& paths = results.paths;
    const Contestant contestants[] = {{network.client, kPlainAddress, paths[0]},
                                      {network.client, kSliverAddress, paths[1]},
                                      {network.client, kSrv6Address, paths[2]},
                                      {network.client, kVxlanAddress, paths[3]},
                                      {network.sending_host, kPlainDirectAddress, paths[4]},
                                      {network.sending_sliver, kSliverAddress, paths[5]}};
    constexpr size_t kCount = std::size(contestants);
    for (unsigned round = 0; round < extent.rounds + kWarmUp; ++round)
        for (size_t i = 0; i < kCount; ++i)
            HS_RETURN_IF_ERROR(measure(contestants[(i + round) % kCount], extent, round >= kWarmUp));
    return measureFull(network, extent, results);
}

}  // namespace homeslice::bench
