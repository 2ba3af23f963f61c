// Each path of the BPF programs, packet in and packet out.
#include <sys/socket.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "noded/mobility/programs_fixture.h"

namespace homeslice::mobility {
namespace {

// --- The home agent ---

TEST_F(ProgramsTest, HomeAgentEncapsulatesByteForByte) {
    open(true);
    ASSERT_TRUE(forwarder_->setCareOf(kRemote, careOf({kPeer})).ok());
    const Bytes payload = udp(1000, 2000);
    const auto result = fromUplink(ipv6(kClient, kRemote, IPPROTO_UDP, payload, {.traffic_class = 0x2a}));
    EXPECT_EQ(result.action, static_cast<uint32_t>(TC_ACT_REDIRECT));
    const Bytes inner = ipv6(kClient, kRemote, IPPROTO_UDP, payload, {.hop_limit = 63, .traffic_class = 0x2a});
    const uint32_t label = outerFlowLabel(result.packet);
    EXPECT_EQ(label & HS_FLOW_LABEL_RELAYED, 0u);
    EXPECT_EQ(result.packet, ethernet(kUplinkMac, kRouterMac) +
                                 tunnel(kSelf, inner, {.traffic_class = 0x2a, .flow_label = label}, kPeer));
    EXPECT_EQ(counters().encapsulated_packets, 1u);
    EXPECT_EQ(counters().encapsulated_bytes, inner.size());
    EXPECT_EQ(forwarder_->countersOf({.home_address = kRemote})->packets, 1u);
    EXPECT_EQ(forwarder_->countersOf({.home_address = kRemote})->bytes, inner.size());
}

TEST_F(ProgramsTest, CountersOfABindingOutliveItsMoves) {
    open(true);
    const auto send = [this] { fromUplink(ipv6(kClient, kRemote, IPPROTO_UDP, udp(1, 2))); };
    ASSERT_TRUE(forwarder_->setCareOf(kRemote, careOf({kPeer})).ok());
    send();
    ASSERT_TRUE(forwarder_->setCareOf(kRemote, careOf({kPeer3})).ok());
    send();
    EXPECT_EQ(forwarder_->countersOf({.home_address = kRemote})->packets, 2u);
    ASSERT_TRUE(forwarder_->setCareOf(kRemote, {}).ok());
    EXPECT_EQ(forwarder_->countersOf({.home_address = kRemote})->packets, 0u);
}

TEST_F(ProgramsTest, HomeAgentLeavesUnboundAndForeignToTheKernel) {
    open(true);
    for (const Ipv6Address& destination : {kRemote, kClient, kSelf}) {
        const Bytes packet =
            ethernet(kUplinkMac, kRouterMac) + ipv6(kClient, destination, IPPROTO_TCP, tcp(1, 80, kSyn));
        const auto result = run("uplink_ingress", "up0", packet);
        EXPECT_EQ(result.action, static_cast<uint32_t>(TC_ACT_OK));
        EXPECT_EQ(result.mark, 0u);
        EXPECT_EQ(result.packet, packet);
    }
}

TEST_F(ProgramsTest, HomeAgentLetsTheKernelAnswerTooBigAndHopLimit) {
    open(true);
    ASSERT_TRUE(forwarder_->setCareOf(kRemote, careOf({kPeer})).ok());
    EXPECT_EQ(fromUplink(ipv6(kClient, kRemote, IPPROTO_UDP, udp(1, 2, 1412))).mark, 0u);  // 1460 bytes
    const auto big = fromUplink(ipv6(kClient, kRemote, IPPROTO_UDP, udp(1, 2, 1413)));
    EXPECT_EQ(big.action, static_cast<uint32_t>(TC_ACT_OK));
    EXPECT_EQ(big.mark, HS_KERNEL_MARK + 1460);
    EXPECT_EQ(counters().packet_too_big, 1u);
    EXPECT_EQ(fromUplink(ipv6(kClient, kRemote, IPPROTO_UDP, udp(1, 2), {.hop_limit = 1})).mark, HS_KERNEL_MARK + 1460);
}

TEST_F(ProgramsTest, SegmentsCountNotTheWholeBuffer) {
    open(true);
    ASSERT_TRUE(forwarder_->setCareOf(kRemote, careOf({kPeer})).ok());
    const Bytes packet =
        ethernet(kUplinkMac, kRouterMac) + ipv6(kClient, kRemote, IPPROTO_TCP, tcp(1, 80, kAck) + Bytes(3000, 0));
    EXPECT_EQ(run("uplink_ingress", "up0", packet, 1400).mark, 0u);
    EXPECT_EQ(run("uplink_ingress", "up0", packet, 1401).mark, HS_KERNEL_MARK + 1460);
}

TEST_F(ProgramsTest, FlowsSpreadOverCareOfAddressesAndStay) {
    open(true);
    ASSERT_TRUE(forwarder_->setCareOf(kSlice, careOf({kPeer, kPeer3})).ok());
    std::map<unsigned, Ipv6Address> chosen;
    for (unsigned port = 1000; port < 1200; ++port)
        chosen[port] = outerDestination(fromUplink(ipv6(kClient, kSlice, IPPROTO_TCP, tcp(port, 80, kSyn))).packet);
    const auto on_peer = std::count_if(chosen.begin(), chosen.end(), [](auto& item) { return item.second == kPeer; });
    EXPECT_GT(on_peer, 60);
    EXPECT_LT(on_peer, 140);
    // A third one takes new flows only.
    ASSERT_TRUE(forwarder_->setCareOf(kSlice, careOf({kPeer, kPeer3, kHomeAgent})).ok());
    for (const auto& [port, care_of] : chosen)
        EXPECT_EQ(outerDestination(fromUplink(ipv6(kClient, kSlice, IPPROTO_TCP, tcp(port, 80, kAck))).packet),
                  care_of);
    // When one goes, the flows of the other stay.
    ASSERT_TRUE(forwarder_->setCareOf(kSlice, careOf({kPeer, kHomeAgent})).ok());
    for (const auto& [port, care_of] : chosen) {
        const auto now = outerDestination(fromUplink(ipv6(kClient, kSlice, IPPROTO_TCP, tcp(port, 80, kAck))).packet);
        if (care_of == kPeer) {
            EXPECT_EQ(now, kPeer);
        }
        EXPECT_NE(now, kPeer3);
    }
}

TEST_F(ProgramsTest, IcmpErrorsFollowTheFlowThatTheyQuote) {
    open(true);
    ASSERT_TRUE(forwarder_->setCareOf(kSlice, careOf({kPeer, kPeer3})).ok());
    const Ipv6Address router = address("2001:db8::1");
    for (unsigned port = 1000; port < 1050; ++port) {
        const auto forward = fromUplink(ipv6(kClient, kSlice, IPPROTO_TCP, tcp(port, 80, kSyn)));
        const Bytes quoted = ipv6(kSlice, kClient, IPPROTO_TCP, tcp(80, port, kAck));
        const auto error = fromUplink(ipv6(router, kSlice, IPPROTO_ICMPV6, icmpv6(2, quoted)));
        EXPECT_EQ(outerDestination(error.packet), outerDestination(forward.packet));
    }
}

TEST_F(ProgramsTest, FragmentsOfOnePacketMeet) {
    open(true);
    ASSERT_TRUE(forwarder_->setCareOf(kSlice, careOf({kPeer, kPeer3})).ok());
    for (uint8_t host = 1; host < 30; ++host) {
        const Ipv6Address client = kClient.withInterfaceId(host);
        const auto first = fromUplink(ipv6(client, kSlice, 44, Bytes{17, 0, 0, 1, 0, 0, 0, 9} + udp(5, 6, 64)));
        const auto later = fromUplink(ipv6(client, kSlice, 44, Bytes{17, 0, 0, 72, 0, 0, 0, 9} + Bytes(64, 0)));
        EXPECT_EQ(outerDestination(first.packet), outerDestination(later.packet));
    }
}

TEST_F(ProgramsTest, PlainPacketsBetweenHomeAddressesAreForged) {
    open(true);
    ASSERT_TRUE(forwarder_->setCareOf(kRemote, careOf({kPeer})).ok());
    EXPECT_EQ(fromUplink(ipv6(kLocal, kRemote, IPPROTO_TCP, tcp(1, 22, kSyn))).action,
              static_cast<uint32_t>(TC_ACT_SHOT));
    EXPECT_EQ(counters().dropped_spoofed_source, 1u);
}

TEST_F(ProgramsTest, HomeAgentSendsTunnelledPacketsOn) {
    open(true);
    ASSERT_TRUE(forwarder_->setCareOf(kRemote, careOf({kPeer3})).ok());
    const Bytes inner = ipv6(kOtherSlice, kRemote, IPPROTO_UDP, udp(1, 2));
    const auto onward = fromUplink(tunnel(kPeer, inner));
    EXPECT_EQ(onward.action, static_cast<uint32_t>(TC_ACT_REDIRECT));
    EXPECT_EQ(outerSource(onward.packet), kSelf);
    EXPECT_EQ(outerDestination(onward.packet), kPeer3);
    EXPECT_EQ(inside(onward.packet), ipv6(kOtherSlice, kRemote, IPPROTO_UDP, udp(1, 2), {.hop_limit = 63}));
    // A relayed packet stays marked, and is never sent back to who gave it away.
    const auto marked = fromUplink(tunnel(kPeer, inner, {.flow_label = HS_FLOW_LABEL_RELAYED}));
    EXPECT_NE(outerFlowLabel(marked.packet) & HS_FLOW_LABEL_RELAYED, 0u);
    EXPECT_EQ(fromUplink(tunnel(kPeer3, inner)).action, static_cast<uint32_t>(TC_ACT_SHOT));
    EXPECT_EQ(counters().dropped_no_sliver, 1u);
}

// --- The access gateway ---

TEST_F(ProgramsTest, DecapsulatesIntoTheSliver) {
    open(false);
    const auto result = fromUplink(tunnel(kHomeAgent, ipv6(kClient, kLocal, IPPROTO_TCP, tcp(1000, 80, kSyn))));
    EXPECT_EQ(result.action, static_cast<uint32_t>(TC_ACT_REDIRECT));
    EXPECT_EQ(result.packet, ethernet(kSliverMac, kHostMac) +
                                 ipv6(kClient, kLocal, IPPROTO_TCP, tcp(1000, 80, kSyn), {.hop_limit = 63}));
    EXPECT_EQ(counters().decapsulated_packets, 1u);
}

TEST_F(ProgramsTest, CongestionMarksOfThePathSurvive) {
    open(false);
    const auto capable =
        fromUplink(tunnel(kHomeAgent, ipv6(kClient, kLocal, IPPROTO_TCP, tcp(1, 80, kAck), {.traffic_class = 0x2}),
                          {.traffic_class = 0x3}));
    EXPECT_EQ(capable.packet, ethernet(kSliverMac, kHostMac) + ipv6(kClient, kLocal, IPPROTO_TCP, tcp(1, 80, kAck),
                                                                    {.hop_limit = 63, .traffic_class = 0x3}));
    EXPECT_EQ(
        fromUplink(tunnel(kHomeAgent, ipv6(kClient, kLocal, IPPROTO_TCP, tcp(1, 80, kAck)), {.traffic_class = 0x3}))
            .action,
        static_cast<uint32_t>(TC_ACT_SHOT));
}

TEST_F(ProgramsTest, TakesTunnelsFromPeersOnly) {
    open(false);
    const Bytes inner = ipv6(kClient, kLocal, IPPROTO_TCP, tcp(1000, 80, kSyn));
    EXPECT_EQ(fromUplink(tunnel(kStranger, inner)).action, static_cast<uint32_t>(TC_ACT_SHOT));
    EXPECT_EQ(counters().dropped_untrusted_tunnel, 1u);
    ASSERT_TRUE(forwarder_->setTrustedPeers({kStranger}).ok());
    EXPECT_EQ(fromUplink(tunnel(kStranger, inner)).action, static_cast<uint32_t>(TC_ACT_REDIRECT));
    EXPECT_EQ(fromUplink(tunnel(kHomeAgent, inner)).action, static_cast<uint32_t>(TC_ACT_SHOT));
}

TEST_F(ProgramsTest, MalformedTunnelledPacketsAreDropped) {
    open(false);
    const Bytes whole = ipv6(kClient, kLocal, IPPROTO_TCP, tcp(1000, 80, kSyn));
    uint64_t malformed = 0;
    for (size_t length = 0; length < whole.size(); ++length) {
        const Bytes runt(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(length));
        EXPECT_EQ(fromUplink(tunnel(kHomeAgent, runt)).action, static_cast<uint32_t>(TC_ACT_SHOT)) << length;
        EXPECT_EQ(counters().dropped_malformed, ++malformed);
    }
    Bytes version4 = whole;
    version4[0] = 0x45;
    EXPECT_EQ(fromUplink(tunnel(kHomeAgent, version4)).action, static_cast<uint32_t>(TC_ACT_SHOT));
}

TEST_F(ProgramsTest, OutsideReachesExposedPortsOnly) {
    open(false);
    const auto action_of = [this](uint8_t protocol, const Bytes& payload, const Ipv6Address& source = kClient) {
        return fromUplink(tunnel(kHomeAgent, ipv6(source, kLocal, protocol, payload))).action;
    };
    const uint32_t in = TC_ACT_REDIRECT;
    const uint32_t out = TC_ACT_SHOT;
    EXPECT_EQ(action_of(IPPROTO_TCP, tcp(1, 80, kSyn)), in);
    EXPECT_EQ(action_of(IPPROTO_TCP, tcp(1, 81, kSyn)), out);
    EXPECT_EQ(action_of(IPPROTO_TCP, tcp(1, 81, kSyn | kAck)), in);
    EXPECT_EQ(action_of(IPPROTO_TCP, tcp(1, 81, kAck)), in);
    EXPECT_EQ(action_of(IPPROTO_UDP, udp(1, 53)), in);
    EXPECT_EQ(action_of(IPPROTO_UDP, udp(1, 80)), out);
    EXPECT_EQ(action_of(IPPROTO_ICMPV6, icmpv6(128)), in);
    EXPECT_EQ(action_of(132, Bytes(16, 0)), out);                                     // SCTP
    EXPECT_EQ(action_of(60, Bytes{6, 0, 1, 4, 0, 0, 0, 0} + tcp(1, 81, kSyn)), out);  // behind destination options
    EXPECT_EQ(action_of(60, Bytes{6, 0, 1, 4, 0, 0, 0, 0} + tcp(1, 80, kSyn)), in);
    EXPECT_EQ(action_of(44, Bytes{6, 0, 0, 1, 0, 0, 0, 1} + tcp(1, 81, kSyn)), out);  // first fragment
    EXPECT_EQ(action_of(44, Bytes{6, 0, 0, 1, 0, 0, 0, 1} + Bytes(8, 0)), out);       // without a transport header
    EXPECT_EQ(action_of(44, Bytes{17, 0, 0, 8, 0, 0, 0, 1} + Bytes(8, 0)), in);       // later fragment
    EXPECT_EQ(action_of(IPPROTO_TCP, tcp(1, 81, kSyn), kOtherSlice), out);
    EXPECT_EQ(action_of(IPPROTO_TCP, tcp(1, 81, kSyn), kRemote), in);  // its own slice
    EXPECT_EQ(counters().dropped_not_exposed, 6u);
}

TEST_F(ProgramsTest, AnotherSliceOnThisNodeIsReachedAtExposedPortsOnly) {
    open(false);
    SliverPort other = port2();
    other.home_address = kOtherSlice;
    other.slice_address = address("fd51:1ce:0:2::1");
    other.exposed = {{.protocol = IPPROTO_TCP, .port = 80}, {.protocol = IPPROTO_UDP, .port = 53}};
    host_->run([&] { ASSERT_EQ(forwarder_->addPort(other), absl::OkStatus()); });
    const auto action_of = [&](uint8_t protocol, const Bytes& payload, const Ipv6Address& to) {
        return fromSliver(ipv6(kLocal, to, protocol, payload)).action;
    };
    for (const Ipv6Address& to : {other.home_address, other.slice_address}) {
        EXPECT_EQ(action_of(IPPROTO_TCP, tcp(1, 80, kSyn), to), static_cast<uint32_t>(TC_ACT_REDIRECT));
        EXPECT_EQ(action_of(IPPROTO_UDP, udp(1, 53), to), static_cast<uint32_t>(TC_ACT_REDIRECT));
        EXPECT_EQ(action_of(IPPROTO_TCP, tcp(1, 81, kSyn), to), static_cast<uint32_t>(TC_ACT_SHOT));
        EXPECT_EQ(action_of(IPPROTO_UDP, udp(1, 80), to), static_cast<uint32_t>(TC_ACT_SHOT));
    }
    EXPECT_EQ(counters().dropped_not_exposed, 4u);
}

TEST_F(ProgramsTest, EndlessExtensionHeadersAreDropped) {
    open(false);
    Bytes headers;
    for (int i = 0; i < 9; ++i) headers = headers + Bytes{60, 0, 1, 4, 0, 0, 0, 0};
    EXPECT_EQ(fromUplink(tunnel(kHomeAgent, ipv6(kClient, kLocal, 60, headers + tcp(1, 80, kSyn)))).action,
              static_cast<uint32_t>(TC_ACT_SHOT));
}

TEST_F(ProgramsTest, UdpAnswersGetBackIn) {
    open(false);
    const Bytes answer = tunnel(kHomeAgent, ipv6(kClient, kLocal, IPPROTO_UDP, udp(123, 5000)));
    EXPECT_EQ(fromUplink(answer).action, static_cast<uint32_t>(TC_ACT_SHOT));
    EXPECT_EQ(fromSliver(ipv6(kLocal, kClient, IPPROTO_UDP, udp(5000, 123))).action, static_cast<uint32_t>(TC_ACT_OK));
    EXPECT_EQ(fromUplink(answer).action, static_cast<uint32_t>(TC_ACT_REDIRECT));
    EXPECT_EQ(fromUplink(tunnel(kHomeAgent, ipv6(kClient, kLocal, IPPROTO_UDP, udp(124, 5000)))).action,
              static_cast<uint32_t>(TC_ACT_SHOT));
}

TEST_F(ProgramsTest, SliceAddressIsSharedByTheLocalSlivers) {
    open(false);
    std::map<unsigned, Bytes> link_layer;
    for (unsigned port = 1000; port < 1100; ++port) {
        const auto result = fromUplink(tunnel(kHomeAgent, ipv6(kRemote, kSlice, IPPROTO_TCP, tcp(port, 80, kSyn))));
        ASSERT_EQ(result.action, static_cast<uint32_t>(TC_ACT_REDIRECT));
        link_layer[port] = Bytes(result.packet.begin(), result.packet.begin() + 14);
    }
    std::set<Bytes> seen;
    for (const auto& [port, header] : link_layer) seen.insert(header);
    EXPECT_EQ(seen, (std::set<Bytes>{ethernet(kSliverMac, kHostMac), ethernet(kSliverMac2, kHostMac2)}));
    for (const auto& [port, header] : link_layer) {
        const auto again = fromUplink(tunnel(kHomeAgent, ipv6(kRemote, kSlice, IPPROTO_TCP, tcp(port, 80, kAck))));
        EXPECT_EQ(Bytes(again.packet.begin(), again.packet.begin() + 14), header);
    }
    host_->run([&] { EXPECT_TRUE(forwarder_->removePort(port2()).ok()); });
    for (unsigned port = 1000; port < 1100; ++port) {
        const auto rest = fromUplink(tunnel(kHomeAgent, ipv6(kRemote, kSlice, IPPROTO_TCP, tcp(port, 80, kAck))));
        EXPECT_EQ(Bytes(rest.packet.begin(), rest.packet.begin() + 14), ethernet(kSliverMac, kHostMac));
    }
}

TEST_F(ProgramsTest, LostSliverIsSoughtAtTheHomeAgentOnce) {
    open(false);
    const Bytes inner = ipv6(kClient, kRemote, IPPROTO_TCP, tcp(1, 80, kAck));
    const auto relayed = fromUplink(tunnel(kPeer, inner));
    EXPECT_EQ(relayed.action, static_cast<uint32_t>(TC_ACT_REDIRECT));
    EXPECT_EQ(outerDestination(relayed.packet), kHomeAgent);
    EXPECT_NE(outerFlowLabel(relayed.packet) & HS_FLOW_LABEL_RELAYED, 0u);
    EXPECT_EQ(inside(relayed.packet), ipv6(kClient, kRemote, IPPROTO_TCP, tcp(1, 80, kAck), {.hop_limit = 63}));
    EXPECT_EQ(fromUplink(tunnel(kHomeAgent, inner, {.flow_label = HS_FLOW_LABEL_RELAYED})).action,
              static_cast<uint32_t>(TC_ACT_SHOT));
    EXPECT_EQ(counters().dropped_no_sliver, 1u);
    // Where the sliver went is known: straight there.
    ASSERT_TRUE(forwarder_->setCareOf(kRemote, careOf({kPeer3})).ok());
    EXPECT_EQ(outerDestination(fromUplink(tunnel(kPeer, inner)).packet), kPeer3);
    EXPECT_EQ(fromUplink(tunnel(kPeer, ipv6(kClient, kClient, IPPROTO_TCP, tcp(1, 80, kAck)))).action,
              static_cast<uint32_t>(TC_ACT_SHOT));
}

TEST_F(ProgramsTest, SliverMayUseItsOwnAddressesOnly) {
    open(false);
    const auto action_from = [this](const Ipv6Address& source) {
        return fromSliver(ipv6(source, kClient, IPPROTO_TCP, tcp(80, 1, kAck))).action;
    };
    EXPECT_EQ(action_from(kLocal), static_cast<uint32_t>(TC_ACT_OK));
    EXPECT_EQ(action_from(kSlice), static_cast<uint32_t>(TC_ACT_OK));
    EXPECT_EQ(action_from(kLocal2), static_cast<uint32_t>(TC_ACT_SHOT));
    EXPECT_EQ(action_from(kClient), static_cast<uint32_t>(TC_ACT_SHOT));
    const Bytes own = ipv6(kLocal, kClient, IPPROTO_TCP, tcp(80, 1, kAck));
    EXPECT_EQ(run("port_ingress", "port1", ethernet(kHostMac, kSliverMac2) + own).action,
              static_cast<uint32_t>(TC_ACT_SHOT));
    EXPECT_EQ(counters().dropped_spoofed_source, 3u);
}

TEST_F(ProgramsTest, OnlyIpv6AndDiscoveryOfTheGatewayLeaveASliver) {
    open(false);
    const Ipv6Address solicited = address("ff02::1:ff00:1");
    const Ipv6Address link_local = address("fe80::21");
    EXPECT_EQ(run("port_ingress", "port1", ethernet(kHostMac, kSliverMac, 0x0806) + Bytes(28, 0)).action,
              static_cast<uint32_t>(TC_ACT_SHOT));
    EXPECT_EQ(run("port_ingress", "port1", ethernet(kHostMac, kSliverMac, 0x0800) + Bytes(20, 0)).action,
              static_cast<uint32_t>(TC_ACT_SHOT));
    const auto icmp = [&](uint8_t type, uint8_t hop_limit, const Ipv6Address& source = kLocal) {
        return fromSliver(ipv6(source, solicited, IPPROTO_ICMPV6, icmpv6(type, Bytes(16, 0)), {.hop_limit = hop_limit}))
            .action;
    };
    EXPECT_EQ(icmp(135, 255), static_cast<uint32_t>(TC_ACT_OK));
    EXPECT_EQ(icmp(135, 254), static_cast<uint32_t>(TC_ACT_SHOT));
    EXPECT_EQ(icmp(135, 255, link_local), static_cast<uint32_t>(TC_ACT_SHOT)) << "could be any of 2^64 neighbours";
    EXPECT_EQ(icmp(136, 255, kLocal2), static_cast<uint32_t>(TC_ACT_SHOT));
    EXPECT_EQ(icmp(134, 255), static_cast<uint32_t>(TC_ACT_SHOT));  // router advertisement
    EXPECT_EQ(counters().dropped_spoofed_source, 0u);
}

TEST_F(ProgramsTest, SliverBeginsNothingWithNodes) {
    open(false);
    const Ipv6Address controller = address("fd00:51ce::c0c0");
    ASSERT_EQ(forwarder_->guard(controller), absl::OkStatus());
    const auto action = [&](const Ipv6Address& to, uint8_t protocol, const Bytes& payload) {
        return fromSliver(ipv6(kLocal, to, protocol, payload)).action;
    };
    for (const Ipv6Address& node : {kSelf, kPeer, kHomeAgent, controller}) {
        EXPECT_EQ(action(node, IPPROTO_TCP, tcp(1, 7401, kSyn)), static_cast<uint32_t>(TC_ACT_SHOT));
        EXPECT_EQ(action(node, IPPROTO_UDP, udp(1, 7401)), static_cast<uint32_t>(TC_ACT_SHOT));
        EXPECT_EQ(action(node, IPPROTO_IPV6, Bytes(40, 0)), static_cast<uint32_t>(TC_ACT_SHOT))
            << "a tunnel of its own";
        EXPECT_EQ(action(node, IPPROTO_TCP, tcp(80, 1, kSyn | kAck)), static_cast<uint32_t>(TC_ACT_OK)) << "an answer";
        EXPECT_EQ(action(node, IPPROTO_UDP, udp(53, 1)), static_cast<uint32_t>(TC_ACT_OK)) << "from an exposed port";
        EXPECT_EQ(action(node, IPPROTO_ICMPV6, icmpv6(128)), static_cast<uint32_t>(TC_ACT_OK));
    }
    EXPECT_EQ(action(kClient, IPPROTO_TCP, tcp(1, 7401, kSyn)), static_cast<uint32_t>(TC_ACT_OK));
    EXPECT_EQ(counters().dropped_not_exposed, 12u);
}

// Also at an address that nobody told the data plane of.
TEST_F(ProgramsTest, SliverBeginsNothingWithTheNodesOwnServices) {
    open(false);
    const Ipv6Address other = address("fd00:1::1");
    host_->addAddress("up0", other.toString(), 64);
    const auto action = [&] { return fromSliver(ipv6(kLocal, other, IPPROTO_TCP, tcp(1, 22, kSyn))).action; };
    EXPECT_EQ(action(), static_cast<uint32_t>(TC_ACT_OK)) << "the kernel says that nobody listens";
    UniqueFd listener;
    host_->run([&] {
        listener.reset(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in6 any{};
        any.sin6_family = AF_INET6;
        any.sin6_port = htons(22);
        ASSERT_EQ(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any), 0);
        ASSERT_EQ(::listen(listener.get(), 1), 0);
    });
    // The kernel takes an address up in a thread of its own.
    EXPECT_TRUE(eventually([&] { return action() == TC_ACT_SHOT; }));
}

TEST_F(ProgramsTest, SliverReachesSlivers) {
    open(false);
    const Bytes payload = tcp(1, 22, kSyn);
    const auto local = fromSliver(ipv6(kLocal, kLocal2, IPPROTO_TCP, payload));
    EXPECT_EQ(local.packet,
              ethernet(kSliverMac2, kHostMac2) + ipv6(kLocal, kLocal2, IPPROTO_TCP, payload, {.hop_limit = 63}));
    EXPECT_EQ(counters().local_packets, 1u);
    const auto unknown = fromSliver(ipv6(kLocal, kRemote, IPPROTO_TCP, payload));
    EXPECT_EQ(unknown.action, static_cast<uint32_t>(TC_ACT_REDIRECT));
    EXPECT_EQ(outerSource(unknown.packet), kSelf);
    EXPECT_EQ(outerDestination(unknown.packet), kHomeAgent);
    EXPECT_EQ(inside(unknown.packet), ipv6(kLocal, kRemote, IPPROTO_TCP, payload, {.hop_limit = 63}));
    ASSERT_TRUE(forwarder_->setCareOf(kRemote, careOf({kPeer})).ok());
    EXPECT_EQ(outerDestination(fromSliver(ipv6(kLocal, kRemote, IPPROTO_TCP, payload)).packet), kPeer);
    EXPECT_EQ(fromSliver(ipv6(kLocal, kRemote, IPPROTO_TCP, payload, {.hop_limit = 1})).mark, HS_KERNEL_MARK + 1460);
    EXPECT_EQ(fromSliver(ipv6(kLocal, kRemote, IPPROTO_UDP, udp(1, 2, 1413))).mark, HS_KERNEL_MARK + 1460);
}

TEST_F(ProgramsTest, KernelRoutedPacketsMeetThePolicyToo) {
    open(false);
    EXPECT_EQ(toSliver(ipv6(kSelf, kLocal, IPPROTO_TCP, tcp(1, 80, kSyn))).action, static_cast<uint32_t>(TC_ACT_OK));
    EXPECT_EQ(toSliver(ipv6(kSelf, kLocal, IPPROTO_TCP, tcp(1, 81, kSyn))).action, static_cast<uint32_t>(TC_ACT_SHOT));
    EXPECT_EQ(run("port_egress", "port1", ethernet(kSliverMac, kHostMac, 0x0800) + Bytes(20, 0)).action,
              static_cast<uint32_t>(TC_ACT_SHOT));
}

TEST_F(ProgramsTest, NodeItselfReachesSlivers) {
    open(false);
    const auto send = [this](const Ipv6Address& destination) {
        return run("uplink_egress", "up0",
                   ethernet(kRouterMac, kUplinkMac) + ipv6(kSelf, destination, IPPROTO_TCP, tcp(1, 80, kSyn)));
    };
    const auto local = send(kLocal);
    EXPECT_EQ(local.action, static_cast<uint32_t>(TC_ACT_REDIRECT));
    EXPECT_EQ(Bytes(local.packet.begin(), local.packet.begin() + 14), ethernet(kSliverMac, kHostMac));
    EXPECT_EQ(outerDestination(send(kRemote).packet), kHomeAgent);
    EXPECT_EQ(send(kClient).action, static_cast<uint32_t>(TC_ACT_OK));
}

// --- Life of the maps ---

TEST_F(ProgramsTest, PinnedMapsOutliveTheForwarder) {
    open(true);
    ASSERT_TRUE(forwarder_->setCareOf(kRemote, careOf({kPeer})).ok());
    Binding binding;
    binding.key = {.home_address = kRemote, .binding_id = 3};
    binding.care_of_address = kPeer;
    binding.generation = 1ULL << 40;
    binding.sequence = 65535;
    binding.lifetime_s = 40;
    ASSERT_TRUE(forwarder_->saveBinding(binding).ok());
    programs_.reset();
    forwarder_.reset();
    open(true);
    EXPECT_EQ(*forwarder_->boundAddresses(), std::vector<Ipv6Address>{kRemote});
    const auto saved = *forwarder_->savedBindings();
    ASSERT_EQ(saved.size(), 1u);
    EXPECT_EQ(saved[0].key, binding.key);
    EXPECT_EQ(saved[0].care_of_address, kPeer);
    EXPECT_EQ(saved[0].generation, binding.generation);
    EXPECT_EQ(saved[0].sequence, 65535);
    ASSERT_TRUE(forwarder_->setCareOf(kRemote, {}).ok());
    EXPECT_TRUE(forwarder_->boundAddresses()->empty());
    ASSERT_TRUE(forwarder_->forgetBinding(binding.key).ok());
    EXPECT_TRUE(forwarder_->savedBindings()->empty());
}

TEST_F(ProgramsTest, PortsComeAndGo) {
    open(false);
    const Bytes packet = tunnel(kHomeAgent, ipv6(kClient, kLocal, IPPROTO_TCP, tcp(1, 80, kSyn)));
    host_->run([&] {
        addPorts();  // again
        SliverPort closed = port1();
        closed.exposed.clear();
        EXPECT_TRUE(forwarder_->addPort(closed).ok());
    });
    EXPECT_EQ(fromUplink(packet).action, static_cast<uint32_t>(TC_ACT_SHOT));
    ASSERT_TRUE(host_->netlink().deleteLink("port1").ok());
    host_->run([&] {
        EXPECT_TRUE(forwarder_->removePort(port1()).ok());
        EXPECT_TRUE(forwarder_->removePort(port1()).ok());
        EXPECT_EQ(forwarder_->addPort(port1()).code(), absl::StatusCode::kNotFound);
    });
    EXPECT_EQ(outerDestination(fromUplink(packet).packet), kHomeAgent);
}

TEST_F(ProgramsTest, RemovalLeavesNothingPinned) {
    open(false);
    host_->run([&] {
        const ForwarderConfig config{
            .uplink = "up0", .care_of_address = kSelf, .pin_directory = bpffs_->directory("node"), .home_agent = false};
        EXPECT_EQ(removeForwarder(config), absl::OkStatus());
        EXPECT_EQ(removeForwarder(config), absl::OkStatus());
    });
    EXPECT_TRUE(std::filesystem::is_empty(bpffs_->directory("node")));
}

}  // namespace
}  // namespace homeslice::mobility
