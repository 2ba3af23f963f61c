#include "noded/isolation/resources_bandwidth.h"

#include <fcntl.h>
#include <linux/if_ether.h>

#include <algorithm>

#include "base/file.h"
#include "base/status.h"
#include "noded/isolation/isolators.h"
#include "noded/isolation/network.h"

namespace homeslice::isolation {
namespace {

constexpr uint64_t kIpv6Header = 40;
constexpr uint64_t kMostBits = 10'000'000'000'000;
constexpr uint64_t kBurstMs = 10;
constexpr uint64_t kQueueMs = 50;
constexpr uint64_t kLeastBurstFrames = 2;
constexpr uint64_t kLeastQueueFrames = 32;

uint32_t bytesIn(uint64_t milliseconds, uint64_t bytes_per_second, uint64_t least) {
    constexpr uint64_t kMost = 256ULL << 20;
    return static_cast<uint32_t>(std::clamp(bytes_per_second / 1000 * milliseconds, least, kMost));
}

absl::Status setRate(sys::Netlink& netlink, const std::string& name, uint64_t bits_per_second) {
    HS_ASSIGN_OR_RETURN(const sys::Link link, netlink.link(name));
    if (bits_per_second == 0) return sys::unlimitSending(netlink, link.index);
    return sys::limitSending(netlink, link.index, tokenBucketOf(bits_per_second, link.mtu));
}

// What a sliver receives is what the host end sends. What it sends itself is limited at its own end, where it can wait:
// dropped at the host end instead, TCP would not come near the rate. Nobody inside can take the queue away,
// CAP_NET_ADMIN is not among the sliver's capabilities, nor send past it: the seccomp profile refuses
// PACKET_QDISC_BYPASS.
class BandwidthIsolator : public Isolator {
public:
    explicit BandwidthIsolator(sys::Cgroups& cgroups) : cgroups_(cgroups) {}

    std::string name() const override { return "bandwidth"; }

    absl::Status prepare(Start&) override { return absl::OkStatus(); }

    absl::Status attach(Start&, const launcher::Child&) override { return absl::OkStatus(); }

    // The links are new, and without limits.
    absl::Status connect(Start& start, const launcher::Child& child) override {
        const Resources& limits = start.spec.base.resources;
        if (limits.network_ingress_bps != 0) HS_RETURN_IF_ERROR(setIngress(start.runtime, limits.network_ingress_bps));
        if (limits.network_egress_bps == 0) return absl::OkStatus();
        HS_ASSIGN_OR_RETURN(sys::Netlink inside, sys::Netlink::openIn(child.network_namespace.get()));
        return setRate(inside, kInnerLink, limits.network_egress_bps);
    }

    absl::Status adopt(Start& start, const launcher::Child& child) override { return connect(start, child); }

    absl::Status recover(const SliverSpec&, SliverRuntime&) override { return absl::OkStatus(); }

    absl::Status update(const SliverSpec& spec, SliverRuntime& runtime) override {
        HS_RETURN_IF_ERROR(setIngress(runtime, spec.base.resources.network_ingress_bps));
        HS_ASSIGN_OR_RETURN(sys::Netlink inside, openInside(runtime));
        return setRate(inside, kInnerLink, spec.base.resources.network_egress_bps);
    }

    // The queues go with the links.
    absl::Status cleanup(const SliverSpec&, SliverRuntime&) override { return absl::OkStatus(); }
    absl::Status destroy(const SliverSpec&, SliverRuntime&) override { return absl::OkStatus(); }

private:
    static absl::Status setIngress(const SliverRuntime& runtime, uint64_t bits_per_second) {
        HS_ASSIGN_OR_RETURN(sys::Netlink host, sys::Netlink::open());
        return setRate(host, runtime.link_name, bits_per_second);
    }

    // In the network namespace of any process of the sliver. One that ends meanwhile may have left its number to
    // another: the link's address tells.
    absl::StatusOr<sys::Netlink> openInside(const SliverRuntime& runtime) const {
        HS_ASSIGN_OR_RETURN(const std::vector<pid_t> pids, cgroups_.processes(runtime.cgroup));
        for (const pid_t pid : pids) {
            const auto netns = openFile("/proc/" + std::to_string(pid) + "/ns/net", O_RDONLY);
            if (!netns.ok()) continue;
            HS_ASSIGN_OR_RETURN(sys::Netlink inside, sys::Netlink::openIn(netns->get()));
            const auto link = inside.link(kInnerLink);
            if (link.ok() && link->mac == runtime.sliver_mac) return inside;
        }
        return notFound("no process of the sliver has its network namespace");
    }

    sys::Cgroups& cgroups_;
};

}  // namespace

sys::TokenBucket tokenBucketOf(uint64_t bits_per_second, uint32_t mtu) {
    const uint64_t frame = mtu + ETH_HLEN;
    const uint64_t payload = mtu - kIpv6Header;
    const uint64_t rate = std::clamp<uint64_t>(bits_per_second, 8, kMostBits) / 8 * frame / payload;
    return {.bytes_per_second = rate,
            .burst_bytes = bytesIn(kBurstMs, rate, kLeastBurstFrames * frame),
            .queue_bytes = bytesIn(kQueueMs, rate, kLeastQueueFrames * frame)};
}

std::unique_ptr<Isolator> makeBandwidthIsolator(sys::Cgroups& cgroups) {
    return std::make_unique<BandwidthIsolator>(cgroups);
}

}  // namespace homeslice::isolation
