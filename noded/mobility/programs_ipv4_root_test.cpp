// The programs' paths over an IPv4 underlay, packet in and packet out.
#include <cstring>

#include "noded/mobility/programs_fixture.h"
#include "noded/mobility/test_ipv4_packet.h"

namespace homeslice::mobility {
namespace {

constexpr uint32_t kPass = TC_ACT_OK;
constexpr uint32_t kDrop = TC_ACT_SHOT;
constexpr uint32_t kSend = TC_ACT_REDIRECT;

const Ipv6Address kSelf4 = ipv4Address("192.0.2.1");
const Ipv6Address kPeer4 = ipv4Address("192.0.2.2");
const Ipv6Address kOther4 = ipv4Address("192.0.2.3");
const Ipv6Address kHomeAgent4 = ipv4Address("192.0.2.160");
const Ipv6Address kStranger4 = ipv4Address("198.51.100.66");

class ProgramsIpv4Test : public ProgramsTest {
protected:
    ProgramsIpv4Test() {
        self_ = kSelf4;
        peers_ = {kPeer4, kOther4, kHomeAgent4};
    }
    Result receive(const Bytes& packet) {
        return run("uplink_ingress", "up0", ethernet(kUplinkMac, kRouterMac, kIpv4Type) + packet);
    }
    void bindRemote(const Ipv6Address& care_of) { ASSERT_TRUE(forwarder_->setCareOf(kRemote, careOf({care_of})).ok()); }
    static Ipv6Address ipv4At(const Bytes& packet, size_t offset) {
        in_addr result{};
        if (packet.size() >= offset + sizeof result) std::memcpy(&result, packet.data() + offset, sizeof result);
        return mappedAddress(result);
    }
    static Ipv6Address sentTo(const Result& result) { return ipv4At(result.packet, 14 + 16); }
};

TEST_F(ProgramsIpv4Test, EncapsulatesByteForByte) {
    open(true);
    bindRemote(kPeer4);
    const Bytes payload = udp(1000, 2000);
    const auto result = fromUplink(ipv6(kClient, kRemote, IPPROTO_UDP, payload, {.traffic_class = 0x2a}));
    EXPECT_EQ(result.action, kSend);
    const Bytes inner = ipv6(kClient, kRemote, IPPROTO_UDP, payload, {.hop_limit = 63, .traffic_class = 0x2a});
    EXPECT_EQ(result.packet,
              ethernet(kUplinkMac, kRouterMac, kIpv4Type) + ipv4(kSelf4, kPeer4, inner, {.service = 0x2a}));
    EXPECT_EQ(counters().encapsulated_bytes, inner.size());
}

TEST_F(ProgramsIpv4Test, TunnelLeavesRoomForItsHeaderAlone) {
    open(true);
    bindRemote(kPeer4);
    EXPECT_EQ(forwarder_->sliverMtu(), 1472u);
    EXPECT_EQ(fromUplink(ipv6(kClient, kRemote, IPPROTO_UDP, udp(1, 2, 1472 - 48))).action, kSend);
    EXPECT_EQ(fromUplink(ipv6(kClient, kRemote, IPPROTO_UDP, udp(1, 2, 1473 - 48))).mark, HS_KERNEL_MARK + 1472);
}

TEST_F(ProgramsIpv4Test, DecapsulatesIntoTheSliver) {
    open(false);
    const Bytes payload = tcp(1000, 80, kSyn);
    const auto result = receive(ipv4(kHomeAgent4, kSelf4, ipv6(kClient, kLocal, IPPROTO_TCP, payload)));
    EXPECT_EQ(result.action, kSend);
    EXPECT_EQ(result.packet,
              ethernet(kSliverMac, kHostMac) + ipv6(kClient, kLocal, IPPROTO_TCP, payload, {.hop_limit = 63}));
    const auto marked = receive(ipv4(
        kHomeAgent4, kSelf4, ipv6(kClient, kLocal, IPPROTO_TCP, payload, {.traffic_class = 0x2}), {.service = 0x3}));
    EXPECT_EQ(marked.packet, ethernet(kSliverMac, kHostMac) +
                                 ipv6(kClient, kLocal, IPPROTO_TCP, payload, {.hop_limit = 63, .traffic_class = 0x3}));
}

TEST_F(ProgramsIpv4Test, TakesTunnelsFromPeersOnlyAndWholeOnes) {
    open(false);
    const Bytes inner = ipv6(kClient, kLocal, IPPROTO_TCP, tcp(1000, 80, kSyn));
    EXPECT_EQ(receive(ipv4(kStranger4, kSelf4, inner)).action, kDrop);
    EXPECT_EQ(counters().dropped_untrusted_tunnel, 1u);
    for (size_t length = 0; length < inner.size(); ++length) {
        const Bytes runt(inner.begin(), inner.begin() + static_cast<ptrdiff_t>(length));
        EXPECT_EQ(receive(ipv4(kHomeAgent4, kSelf4, runt)).action, kDrop) << length;
    }
    const uint64_t malformed = counters().dropped_malformed;
    EXPECT_EQ(malformed, inner.size());
    for (const unsigned fragment : {0x2000u, 0x0001u})
        EXPECT_EQ(receive(ipv4(kHomeAgent4, kSelf4, inner, {.fragment = fragment})).action, kDrop);
    Bytes with_options = ipv4(kHomeAgent4, kSelf4, Bytes{1, 1, 1, 1} + inner);
    with_options[0] = 0x46;
    EXPECT_EQ(receive(with_options).action, kDrop);
    EXPECT_EQ(counters().dropped_malformed, malformed + 3);
}

TEST_F(ProgramsIpv4Test, WhatIsNoTunnelIsTheKernels) {
    open(false);
    const Bytes plain = ipv4(kStranger4, kSelf4, tcp(1, 22, kSyn), {.protocol = IPPROTO_TCP});
    const Bytes passing = ipv4(kStranger4, kPeer4, ipv6(kClient, kLocal, IPPROTO_TCP, tcp(1, 80, kSyn)));
    for (const Bytes& packet : {plain, passing}) {
        const auto result = receive(packet);
        EXPECT_EQ(result.action, kPass);
        EXPECT_EQ(result.packet, ethernet(kUplinkMac, kRouterMac, kIpv4Type) + packet);
    }
    // The mapped address is no address of the wire: nobody gets in by it.
    const Bytes forged = tunnel(kHomeAgent4, ipv6(kClient, kLocal, IPPROTO_TCP, tcp(1, 80, kSyn)), {}, kSelf4);
    EXPECT_EQ(fromUplink(forged).packet, ethernet(kUplinkMac, kRouterMac) + forged);
}

TEST_F(ProgramsIpv4Test, HomeAgentSendsTunnelledPacketsOn) {
    open(true);
    bindRemote(kOther4);
    const Bytes inner = ipv6(kOtherSlice, kRemote, IPPROTO_UDP, udp(1, 2));
    const Bytes onward = ipv6(kOtherSlice, kRemote, IPPROTO_UDP, udp(1, 2), {.hop_limit = 63});
    EXPECT_EQ(receive(ipv4(kPeer4, kSelf4, inner)).packet,
              ethernet(kUplinkMac, kRouterMac, kIpv4Type) + ipv4(kSelf4, kOther4, onward));
    const Ipv4Options relayed{.identification = HS_IDENTIFICATION_RELAYED};
    EXPECT_EQ(receive(ipv4(kPeer4, kSelf4, inner, relayed)).packet,
              ethernet(kUplinkMac, kRouterMac, kIpv4Type) + ipv4(kSelf4, kOther4, onward, relayed));
    // The kernel gets what it is to answer out of the tunnel.
    const auto refused =
        receive(ipv4(kPeer4, kSelf4, ipv6(kOtherSlice, kRemote, IPPROTO_UDP, udp(1, 2), {.hop_limit = 1})));
    EXPECT_EQ(refused.action, kPass);
    EXPECT_EQ(refused.mark, HS_KERNEL_MARK + 1472);
    EXPECT_EQ(refused.packet,
              ethernet(kUplinkMac, kRouterMac) + ipv6(kOtherSlice, kRemote, IPPROTO_UDP, udp(1, 2), {.hop_limit = 1}));
}

TEST_F(ProgramsIpv4Test, LostSliverIsSoughtAtTheHomeAgentOnce) {
    open(false);
    const Bytes inner = ipv6(kClient, kRemote, IPPROTO_TCP, tcp(1, 80, kAck));
    const auto relayed = receive(ipv4(kPeer4, kSelf4, inner));
    EXPECT_EQ(relayed.packet,
              ethernet(kUplinkMac, kRouterMac, kIpv4Type) +
                  ipv4(kSelf4, kHomeAgent4, ipv6(kClient, kRemote, IPPROTO_TCP, tcp(1, 80, kAck), {.hop_limit = 63}),
                       {.identification = HS_IDENTIFICATION_RELAYED}));
    EXPECT_EQ(receive(ipv4(kHomeAgent4, kSelf4, inner, {.identification = HS_IDENTIFICATION_RELAYED})).action, kDrop);
    EXPECT_EQ(counters().dropped_no_sliver, 1u);
}

TEST_F(ProgramsIpv4Test, SliversReachHomeAddressesAndThroughTheHomeAgentAllOthers) {
    open(false);
    bindRemote(kPeer4);
    EXPECT_EQ(sentTo(fromSliver(ipv6(kLocal, kRemote, IPPROTO_UDP, udp(1, 2)))), kPeer4);
    EXPECT_EQ(sentTo(fromSliver(ipv6(kLocal, kOtherSlice, IPPROTO_UDP, udp(1, 2)))), kHomeAgent4);
    const auto out = fromSliver(ipv6(kLocal, kClient, IPPROTO_TCP, tcp(80, 1, kAck)));
    EXPECT_EQ(out.packet,
              ethernet(kHostMac, kSliverMac, kIpv4Type) +
                  ipv4(kSelf4, kHomeAgent4, ipv6(kLocal, kClient, IPPROTO_TCP, tcp(80, 1, kAck), {.hop_limit = 63})));
}

TEST_F(ProgramsIpv4Test, TranslatesIpv4Only) {
    outbound_ = true;
    open(false);
    EXPECT_EQ(sentTo(fromSliver(ipv6(kLocal, kClient, IPPROTO_TCP, tcp(1000, 80, kSyn)))), kHomeAgent4);
    SliverPort port = port1();
    port.ipv4_address = ipv4Address("100.64.0.1");
    host_->run([&] { ASSERT_EQ(forwarder_->addPort(port), absl::OkStatus()); });
    const auto out = run("port_ingress", "port1",
                         ethernet(kHostMac, kSliverMac, kIpv4Type) +
                             ipv4(port.ipv4_address, kStranger4, tcp(1000, 80, kSyn), {.protocol = IPPROTO_TCP}));
    EXPECT_EQ(out.action, kPass);
    EXPECT_EQ(out.mark, HS_OUTBOUND_MARK);
}

TEST_F(ProgramsIpv4Test, NothingLeadsToACareOfAddressOfTheOtherVersion) {
    open(true);
    bindRemote(kPeer);
    const Bytes packet = ipv6(kClient, kRemote, IPPROTO_UDP, udp(1, 2));
    EXPECT_EQ(fromUplink(packet).action, kDrop);
    EXPECT_EQ(counters().dropped_no_sliver, 1u);
    EXPECT_EQ(counters().encapsulated_packets, 0u);
}

// --- Fragmentation needed, said of the tunnel ---

Bytes fragmentationNeeded(const Bytes& quoted, unsigned mtu) {
    return Bytes{3, 4, 0, 0, 0, 0} + big16(mtu) + Bytes(quoted.begin(), quoted.begin() + 28);  // all that RFC 792 asks
}

TEST_F(ProgramsIpv4Test, RoutersNarrowThePath) {
    open(true);
    bindRemote(kPeer4);
    const auto hear = [this](const Bytes& quoted, unsigned mtu) {
        const Bytes said = ipv4(kStranger4, kSelf4, fragmentationNeeded(quoted, mtu), {.protocol = IPPROTO_ICMP});
        EXPECT_EQ(receive(said).action, kPass) << "the kernel may read it too";
    };
    const auto fits = [this](size_t length) {
        return fromUplink(ipv6(kClient, kRemote, IPPROTO_UDP, udp(1, 2, length - 48))).action == kSend;
    };
    const Bytes inner = ipv6(kClient, kRemote, IPPROTO_UDP, udp(1, 2, 1400));
    hear(ipv4(kPeer4, kSelf4, inner), 1400);                             // not from this node
    hear(ipv4(kSelf4, kStranger4, inner), 1400);                         // to no node of ours
    hear(ipv4(kSelf4, kPeer4, inner, {.protocol = IPPROTO_UDP}), 1400);  // not by tunnel
    hear(ipv4(kSelf4, kPeer4, inner), 1500);                             // no news
    EXPECT_TRUE(fits(1472));
    EXPECT_EQ(counters().path_mtu_changes, 0u);
    hear(ipv4(kSelf4, kPeer4, inner), 1400);
    EXPECT_TRUE(fits(1360));
    EXPECT_FALSE(fits(1361));
    hear(ipv4(kSelf4, kPeer4, inner), 0);  // an old router that names none
    EXPECT_TRUE(fits(1280));
    EXPECT_FALSE(fits(1281));
}

}  // namespace
}  // namespace homeslice::mobility
