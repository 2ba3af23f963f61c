#include "noded/isolation/network.h"

#include <array>

#include "base/file.h"
#include "base/status.h"
#include "noded/isolation/isolators.h"
#include "noded/mobility/outbound.h"
#include "noded/sys/netlink_ipv4.h"

namespace homeslice::isolation {
namespace {

constexpr uint8_t kHostLength = 128;
constexpr uint8_t kLinkLocalLength = 64;
constexpr const char* kNoAddressGeneration = "1";  // IN6_ADDR_GEN_MODE_NONE

const Ipv6Address& gatewayAddress() {
    static const Ipv6Address kAddress(std::array<uint8_t, 16>{0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
    return kAddress;
}

Ipv6Address ipv4Of(const SliverRuntime& runtime) {
    return mobility::sliverIpv4(static_cast<uint16_t>(runtime.ids.first / kIdRangeSize));
}

mobility::SliverPort portOf(const SliverSpec& spec, const SliverRuntime& runtime, bool with_ipv4) {
    return {.link_name = runtime.link_name,
            .host_mac = runtime.host_mac,
            .sliver_mac = runtime.sliver_mac,
            .home_address = spec.home_address,
            .slice_address = spec.slice_address,
            .binding_id = static_cast<uint16_t>(spec.id.index),
            .weight = spec.weight,
            .draining = spec.draining,
            .balance = spec.base.balance,
            .exposed = spec.base.exposed,
            .ipv4_address = with_ipv4 ? ipv4Of(runtime) : Ipv6Address(),
            .queued = spec.base.resources.network_ingress_bps != 0};
}

// The host end speaks to its sliver alone: no address but the gateway's, no router taken from what the sliver sends.
absl::Status configureHostLink(const std::string& link) {
    const std::string settings = "/proc/sys/net/ipv6/conf/" + link + "/";
    HS_RETURN_IF_ERROR(writeControlFile(settings + "disable_ipv6", "0"));
    HS_RETURN_IF_ERROR(writeControlFile(settings + "addr_gen_mode", kNoAddressGeneration));
    HS_RETURN_IF_ERROR(writeControlFile(settings + "accept_ra", "0"));
    return writeControlFile(settings + "accept_redirects", "0");
}

// Neighbours are permanent on both sides: nothing has to be solicited, and a sliver cannot claim another's address.
absl::Status bringUpHostEnd(sys::Netlink& host, const SliverRuntime& runtime) {
    HS_RETURN_IF_ERROR(configureHostLink(runtime.link_name));
    HS_ASSIGN_OR_RETURN(const int link, host.index(runtime.link_name));
    HS_RETURN_IF_ERROR(host.setUp(link));
    return host.addAddress(link, gatewayAddress(), kLinkLocalLength);
}

absl::Status bringUpSliverEnd(sys::Netlink& inside, const SliverRuntime& runtime) {
    HS_ASSIGN_OR_RETURN(const int link, inside.index(kInnerLink));
    HS_RETURN_IF_ERROR(inside.setUp(link));
    HS_RETURN_IF_ERROR(inside.addNeighbour(link, gatewayAddress(), runtime.host_mac));
    return inside.addRoute(Ipv6Prefix(), link, gatewayAddress());
}

absl::Status addressHostEnd(sys::Netlink& host, const SliverSpec& spec, const SliverRuntime& runtime) {
    HS_ASSIGN_OR_RETURN(const int link, host.index(runtime.link_name));
    HS_RETURN_IF_ERROR(host.addNeighbour(link, spec.home_address, runtime.sliver_mac));
    return host.addRoute(Ipv6Prefix(spec.home_address, kHostLength), link, std::nullopt);
}

absl::Status addressSliverEnd(sys::Netlink& inside, const SliverSpec& spec) {
    HS_ASSIGN_OR_RETURN(const int link, inside.index(kInnerLink));
    HS_RETURN_IF_ERROR(inside.addAddress(link, spec.home_address, kHostLength));
    // Several slivers have this one: as the source of what a sliver begins, the answers would reach another.
    return inside.addAddress(link, spec.slice_address, kHostLength, /*deprecated=*/true);
}

// For the way out to IPv4 hosts. IPv6 neighbours are the next hops on both sides.
absl::Status addressIpv4(sys::Netlink& host, sys::Netlink& inside, const SliverSpec& spec,
                         const SliverRuntime& runtime) {
    HS_ASSIGN_OR_RETURN(const int outer_link, host.index(runtime.link_name));
    HS_RETURN_IF_ERROR(sys::addIpv4Route(host, ipv4Of(runtime), outer_link, spec.home_address));
    HS_ASSIGN_OR_RETURN(const int link, inside.index(kInnerLink));
    HS_RETURN_IF_ERROR(sys::addIpv4Address(inside, link, ipv4Of(runtime)));
    return sys::addIpv4Route(inside, Ipv6Address(), link, gatewayAddress());
}

class NetworkIsolator : public Isolator {
public:
    explicit NetworkIsolator(mobility::Forwarder& forwarder) : forwarder_(forwarder) {}

    std::string name() const override { return "network"; }

    absl::Status prepare(Start& start) override {
        SliverRuntime& runtime = start.runtime;
        runtime.link_name = linkNameOf(runtime.ids);
        if (runtime.host_mac == sys::MacAddress{}) runtime.host_mac = sys::randomMac();
        if (runtime.sliver_mac == sys::MacAddress{}) runtime.sliver_mac = sys::randomMac();
        return absl::OkStatus();
    }

    absl::Status attach(Start&, const launcher::Child&) override { return absl::OkStatus(); }

    absl::Status connect(Start& start, const launcher::Child& child) override {
        const SliverRuntime& runtime = start.runtime;
        HS_ASSIGN_OR_RETURN(sys::Netlink host, sys::Netlink::open());
        HS_RETURN_IF_ERROR(host.deleteLink(runtime.link_name));  // of a start that was cut short
        HS_RETURN_IF_ERROR(host.addVeth({.name = runtime.link_name,
                                         .mac = runtime.host_mac,
                                         .peer_name = kInnerLink,
                                         .peer_mac = runtime.sliver_mac,
                                         .peer_netns_fd = child.network_namespace.get(),
                                         .mtu = forwarder_.sliverMtu()}));
        // Before the link is up: no packet passes a port without its programs.
        HS_RETURN_IF_ERROR(forwarder_.closePort(runtime.link_name));
        HS_ASSIGN_OR_RETURN(sys::Netlink inside, sys::Netlink::openIn(child.network_namespace.get()));
        HS_RETURN_IF_ERROR(bringUpHostEnd(host, runtime));
        HS_RETURN_IF_ERROR(bringUpSliverEnd(inside, runtime));
        return start.ahead ? absl::OkStatus() : address(host, inside, start.spec, runtime);
    }

    absl::Status adopt(Start& start, const launcher::Child& child) override {
        HS_ASSIGN_OR_RETURN(sys::Netlink host, sys::Netlink::open());
        HS_ASSIGN_OR_RETURN(sys::Netlink inside, sys::Netlink::openIn(child.network_namespace.get()));
        return address(host, inside, start.spec, start.runtime);
    }

    absl::Status recover(const SliverSpec& spec, SliverRuntime& runtime) override {
        HS_ASSIGN_OR_RETURN(sys::Netlink host, sys::Netlink::open());
        HS_RETURN_IF_ERROR(host.link(runtime.link_name).status());
        return forwarder_.addPort(port(spec, runtime));
    }

    absl::Status update(const SliverSpec& spec, SliverRuntime& runtime) override { return recover(spec, runtime); }

    absl::Status cleanup(const SliverSpec& spec, SliverRuntime& runtime) override {
        if (runtime.link_name.empty()) return absl::OkStatus();
        HS_RETURN_IF_ERROR(forwarder_.removePort(port(spec, runtime)));
        HS_ASSIGN_OR_RETURN(sys::Netlink host, sys::Netlink::open());
        return host.deleteLink(runtime.link_name);
    }

    absl::Status destroy(const SliverSpec&, SliverRuntime&) override { return absl::OkStatus(); }

private:
    absl::Status address(sys::Netlink& host, sys::Netlink& inside, const SliverSpec& spec,
                         const SliverRuntime& runtime) {
        HS_RETURN_IF_ERROR(addressSliverEnd(inside, spec));
        HS_RETURN_IF_ERROR(addressHostEnd(host, spec, runtime));
        if (forwarder_.givesIpv4()) HS_RETURN_IF_ERROR(addressIpv4(host, inside, spec, runtime));
        return forwarder_.addPort(port(spec, runtime));
    }

    mobility::SliverPort port(const SliverSpec& spec, const SliverRuntime& runtime) const {
        return portOf(spec, runtime, forwarder_.givesIpv4());
    }

    mobility::Forwarder& forwarder_;
};

}  // namespace

std::string linkNameOf(const launcher::IdRange& ids) { return kLinkPrefix + std::to_string(ids.first / kIdRangeSize); }

std::unique_ptr<Isolator> makeNetworkIsolator(mobility::Forwarder& forwarder) {
    return std::make_unique<NetworkIsolator>(forwarder);
}

}  // namespace homeslice::isolation
