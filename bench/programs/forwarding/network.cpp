#include "network.h"

#include <netinet/in.h>

#include "base/status.h"
#include "noded/mobility/forwarder.h"

namespace homeslice::bench {

const char* const kSliverAddress = "fd51:1ce:0:1::1:1";
const char* const kPlainAddress = "2001:db8:10::2";
const char* const kSrv6Address = "2001:db8:12::2";
const char* const kVxlanAddress = "2001:db8:13::2";
const char* const kPlainDirectAddress = "2001:db8:11::2";
const char* const kBareAddress = "2001:db8:31::2";
const char* const kFullAddress = "fd51:1ce:0:2::1:1";
const char* const kSinkNet = "2001:db8:16:1000::";
const char* const kSinkCareOf = "fd00:51ce:1:8::1";
const char* const kFullNet = "fd51:1ce:0:1000::";
const char* const kRoutesNet = "2001:db8:17:1000::";
const char* const kRoutesHop = "fd00:51ce:e::2";

namespace {

const char* const kSendingSliverAddress = "fd51:1ce:0:1::1:2";
const char* const kHomePrefix = "fd51:1ce::/48";
const char* const kHomeAgentAddress = "fd00:51ce:a::2";
const char* const kFullAgentAddress = "fd00:51ce:b::2";
const char* const kNodeAddress = "fd00:51ce:1::2";
const char* const kSenderAddress = "fd00:51ce:2::2";
constexpr sys::MacAddress kHostMac{0x02, 0, 0, 0, 1, 1};
constexpr sys::MacAddress kSliverMac{0x02, 0, 0, 0, 1, 2};
constexpr uint32_t kLifetime = 3600;

Ipv6Address addressOf(const char* text) { return Ipv6Address::parse(text).value_or(Ipv6Address()); }

std::string textOf(const sys::MacAddress& mac) {
    std::array<char, 18> text{};
    std::snprintf(text.data(), text.size(), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
                  mac[5]);
    return text.data();
}

// A machine on the router, with everything else behind it.
absl::Status plug(const Box& router, const Box& box, const std::string& name, const std::string& subnet) {
    HS_RETURN_IF_ERROR(router.sh("ip link add " + name + " type veth peer name eth0 netns " + box.path() +
                                 "; ip link set " + name + " up; ip -6 address add " + subnet + "1/64 dev " + name +
                                 " nodad"));
    return box.sh("ip link set eth0 up; ip -6 address add " + subnet +
                  "2/64 dev eth0 nodad; ip -6 route add default via " + subnet + "1 dev eth0");
}

// A second link of a plain router, so that what it forwards need not go back where it came from. What it has no route
// for is lost, and missed in the count.
absl::Status plugRouter(const Box& router, const Box& node) {
    HS_RETURN_IF_ERROR(router.sh("ip link add to-node type veth peer name from-routes netns " + node.path() +
                                 "; ip link set to-node up; ip -6 address add fd00:51ce:e::1/64 dev to-node nodad"
                                 "; ip -6 route del default"));
    return node.sh(std::string("ip link set from-routes up; ip -6 address add ") + kRoutesHop +
                   "/64 dev from-routes nodad");
}

// A plain host behind a node, with several addresses.
absl::Status plugHost(const Box& node, const Box& host, const std::vector<std::string>& addresses) {
    HS_RETURN_IF_ERROR(node.sh("ip link add plain type veth peer name eth0 netns " + host.path() +
                               "; ip link set plain up; ip -6 address add fe80::1/64 dev plain nodad"));
    std::string inside = "ip link set eth0 up; ip -6 route add default via fe80::1 dev eth0";
    std::string outside = "true";
    for (const std::string& address : addresses) {
        inside += "; ip -6 address add " + address + "/128 dev eth0 nodad";
        outside += "; ip -6 route add " + address + "/128 dev plain";
    }
    HS_RETURN_IF_ERROR(host.sh(inside));
    return node.sh(outside);
}

absl::Status plugSliver(const Box& node, mobility::Forwarder& forwarder, const Box& sliver, const std::string& link,
                        const char* home_address) {
    HS_RETURN_IF_ERROR(node.sh("ip link add " + link + " address " + textOf(kHostMac) + " mtu " +
                               std::to_string(forwarder.sliverMtu()) + " type veth peer name eth0 address " +
                               textOf(kSliverMac) + " netns " + sliver.path()));
    HS_RETURN_IF_ERROR(sliver.sh("ip link set eth0 mtu " + std::to_string(forwarder.sliverMtu()) +
                                 " up; ip -6 address add " + home_address +
                                 "/128 dev eth0 nodad; ip -6 neigh add fe80::1 lladdr " + textOf(kHostMac) +
                                 " dev eth0; ip -6 route add default via fe80::1 dev eth0"));
    HS_RETURN_IF_ERROR(node.sh("ip link set " + link + " up; ip -6 address add fe80::1/64 dev " + link +
                               " nodad; ip -6 route add " + home_address + "/128 dev " + link + "; ip -6 neigh add " +
                               home_address + " lladdr " + textOf(kSliverMac) + " dev " + link));
    absl::Status added;
    node.run([&] {
        added = forwarder.addPort(
            {.link_name = link,
             .host_mac = kHostMac,
             .sliver_mac = kSliverMac,
             .home_address = addressOf(home_address),
             .slice_address = {},
             .exposed = {{.protocol = IPPROTO_TCP, .port = kSinkPort}, {.protocol = IPPROTO_UDP, .port = kEchoPort}}});
    });
    return added;
}

absl::StatusOr<std::unique_ptr<mobility::Forwarder>> openForwarder(const Box& box, const std::string& pins,
                                                                   const char* care_of, bool home_agent) {
    absl::StatusOr<std::unique_ptr<mobility::Forwarder>> forwarder = internalError("not opened");
    box.run([&] {
        forwarder = mobility::Forwarder::open(
            {.uplink = "eth0", .care_of_address = addressOf(care_of), .pin_directory = pins, .home_agent = home_agent});
        if (!forwarder.ok()) return;
        absl::Status told = (*forwarder)
                                ->setTrustedPeers({addressOf(kHomeAgentAddress), addressOf(kFullAgentAddress),
                                                   addressOf(kNodeAddress), addressOf(kSenderAddress)});
        told.Update((*forwarder)
                        ->setHomePrefix(*Ipv6Prefix::parse(kHomePrefix),
                                        home_agent ? Ipv6Address() : addressOf(kHomeAgentAddress)));
        if (!told.ok()) forwarder = told;
    });
    return forwarder;
}

// The router sends what is for the plain address to the home agent, and on to the node when it comes back from there.
// It looks for no sockets of its own, as the kernel's documentation advises for machines that only route: what it would
// read for each address would displace what a home agent, elsewhere in reality, has in the caches that both share here.
absl::Status routePlainly(const Network& network) {
    HS_RETURN_IF_ERROR(network.router.sh("echo 0 > /proc/sys/net/ipv4/ip_early_demux"));
    HS_RETURN_IF_ERROR(network.router.sh(
        std::string("for net in 2001:db8:10:: 2001:db8:12:: 2001:db8:13::; do ip -6 route add $net/64 via ") +
        kHomeAgentAddress + "; done; ip -6 route add " + kHomePrefix + " via " + kHomeAgentAddress +
        "; ip -6 route add 2001:db8:11::/64 via " + kNodeAddress + "; ip -6 route add fd00:51ce:1:7::/64 via " +
        kNodeAddress + "; ip -6 route add 2001:db8:20::/64 via " + kSenderAddress +
        "; ip -6 rule add iif to-ha lookup 100; ip -6 route add 2001:db8:10::/64 via " + kNodeAddress + " table 100"));
    HS_RETURN_IF_ERROR(network.router.sh(std::string("for net in ") + kFullAddress + "/128 " + kFullNet +
                                         "/52; do ip -6 route add $net via " + kFullAgentAddress +
                                         "; done; for net in fd00:51ce:1:8::/64 " + kSinkNet +
                                         "/52; do ip -6 route add $net via " + kNodeAddress +
                                         "; done; ip -6 route add 2001:db8:31::/64 via fd00:51ce:31::2; "
                                         "ip -6 route add 2001:db8:32::/64 via fd00:51ce:32::2"));
    HS_RETURN_IF_ERROR(network.router.sh(std::string("ip -6 route add ") + kRoutesNet + "/52 via fd00:51ce:d::2"));
    HS_RETURN_IF_ERROR(network.node_box.sh("for net in fd00:51ce:1:8::/64 " + std::string(kSinkNet) + "/52 " +
                                           kRoutesNet + "/52; do ip -6 route add blackhole $net; done"));
    // The kernel's tunnels refuse nothing that is too big, they lose it: the client is told beforehand.
    HS_RETURN_IF_ERROR(
        network.client.sh("ip -6 route add 2001:db8:12::/64 via 2001:db8:c::1 dev eth0 mtu 1460; "
                          "ip -6 route add 2001:db8:13::/64 via 2001:db8:c::1 dev eth0 mtu 1430"));
    HS_RETURN_IF_ERROR(network.home_agent_box.sh(
        std::string("ip sr tunsrc set ") + kHomeAgentAddress +
        "; ip -6 route add 2001:db8:12::/64 encap seg6 mode encap.red segs fd00:51ce:1:7::7 dev eth0"
        "; ip link add vx0 mtu 1430 type vxlan id 7 local " +
        kHomeAgentAddress + " remote " + kNodeAddress +
        " dstport 4789 udp6zerocsumtx udp6zerocsumrx dev eth0; ip link set vx0 up"
        "; ip -6 address add fd99::1/64 dev vx0 nodad; ip -6 route add 2001:db8:13::/64 via fd99::2"));
    return network.node_box.sh(
        std::string("ip -6 route add fd00:51ce:1:7::7/128 encap seg6local action End.DT6 table main dev eth0"
                    "; ip link add vx0 mtu 1430 type vxlan id 7 local ") +
        kNodeAddress + " remote " + kHomeAgentAddress +
        " dstport 4789 udp6zerocsumtx udp6zerocsumrx dev eth0; ip link set vx0 up; ip -6 address add fd99::2/64 dev "
        "vx0 nodad");
}

absl::StatusOr<std::unique_ptr<Network>> makeBoxes() {
    std::vector<Box> boxes;
    for (int i = 0; i < 17; ++i) {
        HS_ASSIGN_OR_RETURN(Box box, Box::make());
        boxes.push_back(std::move(box));
    }
    auto next = boxes.begin();
    const auto take = [&] { return std::move(*next++); };
    return std::unique_ptr<Network>(new Network{take(), take(),  take(),  take(),  take(),  take(), take(), take(),
                                                take(), take(),  take(),  take(),  take(),  take(), take(), take(),
                                                take(), nullptr, nullptr, nullptr, nullptr, nullptr});
}

}  // namespace

absl::StatusOr<std::unique_ptr<Network>> Network::make(const std::string& pins) {
    HS_ASSIGN_OR_RETURN(std::unique_ptr<Network> network, makeBoxes());
    HS_RETURN_IF_ERROR(plug(network->router, network->client, "to-client", "2001:db8:c::"));
    HS_RETURN_IF_ERROR(plug(network->router, network->home_agent_box, "to-ha", "fd00:51ce:a::"));
    HS_RETURN_IF_ERROR(plug(network->router, network->node_box, "to-node", "fd00:51ce:1::"));
    HS_RETURN_IF_ERROR(plug(network->router, network->sender_box, "to-sender", "fd00:51ce:2::"));
    HS_RETURN_IF_ERROR(plug(network->router, network->full_box, "to-full", "fd00:51ce:b::"));
    HS_RETURN_IF_ERROR(plug(network->router, network->routes_box, "to-routes", "fd00:51ce:d::"));
    HS_RETURN_IF_ERROR(plugRouter(network->routes_box, network->node_box));
    HS_RETURN_IF_ERROR(plug(network->router, network->bare_box, "to-bare", "fd00:51ce:31::"));
    HS_RETURN_IF_ERROR(plug(network->router, network->bare_sender_box, "to-bare-sender", "fd00:51ce:32::"));
    for (const Box* box : {&network->router, &network->home_agent_box, &network->full_box, &network->routes_box,
                           &network->node_box, &network->sender_box, &network->bare_box, &network->bare_sender_box})
        HS_RETURN_IF_ERROR(box->sh("sysctl -qw net.ipv6.conf.all.forwarding=1"));
    HS_RETURN_IF_ERROR(plugHost(network->node_box, network->plain_host,
                                {kPlainAddress, kSrv6Address, kVxlanAddress, kPlainDirectAddress}));
    HS_RETURN_IF_ERROR(plugHost(network->sender_box, network->sending_host, {"2001:db8:20::2"}));
    HS_RETURN_IF_ERROR(plugHost(network->bare_box, network->bare_host, {kBareAddress}));
    HS_RETURN_IF_ERROR(plugHost(network->bare_sender_box, network->bare_sending_host, {"2001:db8:32::2"}));
    HS_RETURN_IF_ERROR(routePlainly(*network));

    HS_ASSIGN_OR_RETURN(network->home_agent_forwarder,
                        openForwarder(network->home_agent_box, pins + "/ha", kHomeAgentAddress, true));
    HS_ASSIGN_OR_RETURN(network->full_forwarder,
                        openForwarder(network->full_box, pins + "/full", kFullAgentAddress, true));
    HS_ASSIGN_OR_RETURN(network->node_forwarder, openForwarder(network->node_box, pins + "/node", kNodeAddress, false));
    HS_ASSIGN_OR_RETURN(network->sender_forwarder,
                        openForwarder(network->sender_box, pins + "/sender", kSenderAddress, false));
    HS_RETURN_IF_ERROR(
        plugSliver(network->node_box, *network->node_forwarder, network->sliver, "port1", kSliverAddress));
    HS_RETURN_IF_ERROR(
        plugSliver(network->node_box, *network->node_forwarder, network->full_sliver, "port2", kFullAddress));
    HS_RETURN_IF_ERROR(plugSliver(network->sender_box, *network->sender_forwarder, network->sending_sliver, "port1",
                                  kSendingSliverAddress));
    network->home_agent = mobility::HomeAgent::create({.max_lifetime_s = kLifetime}, *network->home_agent_forwarder);
    network->home_agent->setHomePrefix(*Ipv6Prefix::parse(kHomePrefix));
    HS_RETURN_IF_ERROR(network->bindSliver(false, 1));
    HS_RETURN_IF_ERROR(network->full_forwarder->setCareOf(addressOf(kFullAddress),
                                                          {.members = {{.address = addressOf(kNodeAddress)}}}));
    // Both ends of the route-optimized path know where the other is.
    HS_RETURN_IF_ERROR(network->sender_forwarder->setCareOf(addressOf(kSliverAddress),
                                                            {.members = {{.address = addressOf(kNodeAddress)}}}));
    HS_RETURN_IF_ERROR(network->node_forwarder->setCareOf(addressOf(kSendingSliverAddress),
                                                          {.members = {{.address = addressOf(kSenderAddress)}}}));
    return network;
}

absl::Status Network::plugMovedSliver() {
    return plugSliver(sender_box, *sender_forwarder, moved_sliver, "port2", kSliverAddress);
}

absl::Status Network::bindSliver(bool moved, uint64_t generation) {
    const Ipv6Address care_of = addressOf(moved ? kSenderAddress : kNodeAddress);
    const auto answer =
        home_agent->update(care_of, {.key = {.home_address = addressOf(kSliverAddress), .binding_id = 0},
                                     .care_of_address = care_of,
                                     .sequence = 1,
                                     .generation = generation,
                                     .lifetime_s = kLifetime});
    return answer.status == mobility::BindingStatus::accepted ? absl::OkStatus() : internalError("binding refused");
}

}  // namespace homeslice::bench
