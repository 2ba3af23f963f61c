#include "contest.h"

#include "base/status.h"
#include "processor.h"
#include "spread.h"
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

}  // namespace

absl::Status compete(Network& network, const Extent& extent, Results& results) {
    const std::string plain = "plain";
    const std::string direct = "plain, direct";
    results.paths = {{plain, "", {}, {}},         {kHomeAgentPath, plain, {}, {}}, {kFullPath, kHomeAgentPath, {}, {}},
                     {"SRv6", plain, {}, {}},     {"VXLAN", plain, {}, {}},        {direct, "", {}, {}},
                     {kBarePath, direct, {}, {}}, {kOptimizedPath, direct, {}, {}}};
    HS_RETURN_IF_ERROR(fill(network, extent.bindings));
    if (extent.routes) HS_RETURN_IF_ERROR(route(network, extent.bindings));
    results.bindings = extent.bindings;
    const OneProcessor processor;
    const Server at_sliver(network.sliver);
    const Server at_full_sliver(network.full_sliver);
    const Server at_host(network.plain_host);
    const Server at_bare_host(network.bare_host);
    std::vector<Path>& paths = results.paths;
    const Contestant contestants[] = {{network.client, kPlainAddress, paths[0]},
                                      {network.client, kSliverAddress, paths[1]},
                                      {network.client, kFullAddress, paths[2]},
                                      {network.client, kSrv6Address, paths[3]},
                                      {network.client, kVxlanAddress, paths[4]},
                                      {network.sending_host, kPlainDirectAddress, paths[5]},
                                      {network.bare_sending_host, kBareAddress, paths[6]},
                                      {network.sending_sliver, kSliverAddress, paths[7]}};
    constexpr size_t kCount = std::size(contestants);
    for (unsigned round = 0; round < extent.rounds + kWarmUp; ++round)
        for (size_t i = 0; i < kCount; ++i)
            HS_RETURN_IF_ERROR(measure(contestants[(i + round) % kCount], extent, round >= kWarmUp));
    return measureSpread(network, extent, results);
}

}  // namespace homeslice::bench
