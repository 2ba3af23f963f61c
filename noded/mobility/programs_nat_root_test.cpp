// The programs' paths to and from nodes behind NATs (IPv6 in UDP in IPv4), packet in and packet out.
#include <cstring>

#include "base/nat.h"
#include "noded/mobility/programs_fixture.h"
#include "noded/mobility/test_ipv4_packet.h"

namespace homeslice::mobility {
namespace {

constexpr uint32_t kPass = TC_ACT_OK;
constexpr uint32_t kDrop = TC_ACT_SHOT;
constexpr uint32_t kSend = TC_ACT_REDIRECT;
constexpr unsigned kPort = HS_UDP_TUNNEL_PORT;
constexpr unsigned kMapped = 40000;  // port of the NAT

const Ipv6Address kSelf4 = ipv4Address("192.0.2.1");
const Ipv6Address kPeer4 = ipv4Address("192.0.2.2");
const Ipv6Address kHomeAgent4 = ipv4Address("192.0.2.160");
const Ipv6Address kNat4 = ipv4Address("198.51.100.66");
const Ipv6Address kInner4 = ipv4Address("10.0.0.2");
const Ipv6Address kHidden = behindNat(kInner4, "hidden");

class ProgramsNatTest : public ProgramsTest {
protected:
    ProgramsNatTest() {
        self_ = kSelf4;
        peers_ = {kPeer4, kHidden, kHomeAgent4};
    }
    // A home agent that has heard the hidden node.
    void openHomeAgent() {
        open(true);
        ASSERT_TRUE(forwarder_->setNatBinding(kHidden, UdpEndpoint{kNat4, kMapped}).ok());
        ASSERT_TRUE(forwarder_->setCareOf(kRemote, careOf({kHidden})).ok());
    }
    // The node behind the NAT itself.
    void openHidden() {
        self_ = kHidden;
        open(false);
    }
    Result receive(const Bytes& packet) {
        return run("uplink_ingress", "up0", ethernet(kUplinkMac, kRouterMac, kIpv4Type) + packet);
    }
    static Bytes inUdp(const Ipv6Address& from, unsigned from_port, const Ipv6Address& to, unsigned to_port,
                       const Bytes& inner, Ipv4Options options = {}) {
        options.protocol = IPPROTO_UDP;
        const Bytes header =
            big16(from_port) + big16(to_port) + big16(static_cast<unsigned>(8 + inner.size())) + big16(0);
        return ipv4(from, to, header + inner, options);
    }
    static Bytes sent(const Bytes& packet) { return ethernet(kUplinkMac, kRouterMac, kIpv4Type) + packet; }
};

TEST_F(ProgramsNatTest, HomeAgentEncapsulatesByteForByte) {
    openHomeAgent();
    const Bytes payload = udp(1000, 2000);
    const auto result = fromUplink(ipv6(kClient, kRemote, IPPROTO_UDP, payload, {.traffic_class = 0x2a}));
    EXPECT_EQ(result.action, kSend);
    const Bytes inner = ipv6(kClient, kRemote, IPPROTO_UDP, payload, {.hop_limit = 63, .traffic_class = 0x2a});
    EXPECT_EQ(result.packet, sent(inUdp(kSelf4, kPort, kNat4, kMapped, inner, {.service = 0x2a})));
    EXPECT_EQ(counters().encapsulated_bytes, inner.size());
}

TEST_F(ProgramsNatTest, ThereIsRoomForTheHeaders) {
    openHomeAgent();
    const auto big = fromUplink(ipv6(kClient, kRemote, IPPROTO_UDP, udp(1, 2, 1472 - 48)));
    EXPECT_EQ(big.action, kSend);
    EXPECT_EQ(big.packet.size(), 14u + 1500u);
    EXPECT_EQ(fromUplink(ipv6(kClient, kRemote, IPPROTO_UDP, udp(1, 2, 1473 - 48))).mark, HS_KERNEL_MARK + 1472);
}

TEST_F(ProgramsNatTest, NothingGoesToANodeThatIsSeenNowhere) {
    openHomeAgent();
    ASSERT_TRUE(forwarder_->setNatBinding(kHidden, std::nullopt).ok());
    EXPECT_EQ(fromUplink(ipv6(kClient, kRemote, IPPROTO_UDP, udp(1, 2))).action, kDrop);
    EXPECT_EQ(counters().dropped_no_sliver, 1u);
}

TEST_F(ProgramsNatTest, FollowsTheNodeToAnotherMapping) {
    openHomeAgent();
    ASSERT_TRUE(forwarder_->setNatBinding(kHidden, UdpEndpoint{kNat4, kMapped + 1}).ok());
    const Bytes inner = ipv6(kClient, kRemote, IPPROTO_UDP, udp(1, 2), {.hop_limit = 63});
    EXPECT_EQ(fromUplink(ipv6(kClient, kRemote, IPPROTO_UDP, udp(1, 2))).packet,
              sent(inUdp(kSelf4, kPort, kNat4, kMapped + 1, inner)));
    const Bytes back = ipv6(kRemote, kClient, IPPROTO_UDP, udp(2, 1));
    EXPECT_EQ(receive(inUdp(kNat4, kMapped, kSelf4, kPort, back)).action, kDrop) << "the old one is anybody's";
    EXPECT_EQ(counters().dropped_untrusted_tunnel, 1u);
    EXPECT_EQ(receive(inUdp(kNat4, kMapped + 1, kSelf4, kPort, back)).action, kPass);
    EXPECT_EQ(forwarder_->natBindings().at(kHidden), (UdpEndpoint{kNat4, kMapped + 1}));
}

TEST_F(ProgramsNatTest, HomeAgentTakesTheReverseTunnelOut) {
    openHomeAgent();
    const Bytes inner = ipv6(kRemote, kClient, IPPROTO_TCP, tcp(80, 1000, kAck));
    const auto result = receive(inUdp(kNat4, kMapped, kSelf4, kPort, inner));
    EXPECT_EQ(result.action, kPass);
    EXPECT_EQ(result.packet, ethernet(kUplinkMac, kRouterMac) + inner);
}

TEST_F(ProgramsNatTest, TakesNothingFromStrangersNorForgedSources) {
    openHomeAgent();
    const Bytes inner = ipv6(kRemote, kClient, IPPROTO_UDP, udp(2, 1));
    EXPECT_EQ(receive(inUdp(kNat4, kMapped + 1, kSelf4, kPort, inner)).action, kDrop);                   // another port
    EXPECT_EQ(receive(inUdp(ipv4Address("203.0.113.9"), kMapped, kSelf4, kPort, inner)).action, kDrop);  // another NAT
    EXPECT_EQ(receive(inUdp(kInner4, kPort, kSelf4, kPort, inner)).action, kDrop);     // as it is inside
    EXPECT_EQ(receive(inUdp(kPeer4, kPort + 1, kSelf4, kPort, inner)).action, kDrop);  // a node, any port
    EXPECT_EQ(receive(ipv4(kNat4, kSelf4, inner)).action, kDrop);                      // without UDP
    EXPECT_EQ(counters().dropped_untrusted_tunnel, 5u);
    ASSERT_TRUE(forwarder_->setCareOf(kOtherSlice, careOf({kPeer4})).ok());
    const Bytes forged = ipv6(kOtherSlice, kRemote, IPPROTO_UDP, udp(2, 1));
    EXPECT_EQ(receive(inUdp(kNat4, kMapped, kSelf4, kPort, forged)).action, kDrop) << "bound to another node";
    EXPECT_EQ(counters().dropped_spoofed_source, 1u);
}

TEST_F(ProgramsNatTest, ARevokedNodeIsAStranger) {
    openHomeAgent();
    ASSERT_TRUE(forwarder_->setTrustedPeers({kPeer4, kHomeAgent4}).ok());
    EXPECT_EQ(receive(inUdp(kNat4, kMapped, kSelf4, kPort, ipv6(kRemote, kClient, IPPROTO_UDP, udp(2, 1)))).action,
              kDrop);
    EXPECT_EQ(counters().dropped_untrusted_tunnel, 1u);
}

TEST_F(ProgramsNatTest, RuntsAreDropped) {
    openHomeAgent();
    const Bytes inner = ipv6(kRemote, kClient, IPPROTO_TCP, tcp(80, 1000, kAck));
    for (size_t length = 1; length < inner.size(); ++length) {
        const Bytes runt(inner.begin(), inner.begin() + static_cast<ptrdiff_t>(length));
        EXPECT_EQ(receive(inUdp(kNat4, kMapped, kSelf4, kPort, runt)).action, kDrop) << length;
    }
    EXPECT_EQ(counters().dropped_malformed, inner.size() - 1);
}

TEST_F(ProgramsNatTest, OtherDatagramsAreTheKernels) {
    openHomeAgent();
    const Bytes inner = ipv6(kRemote, kClient, IPPROTO_UDP, udp(2, 1));
    const Bytes keepalive = inUdp(kNat4, kMapped, kSelf4, kPort, Bytes{0, 'H', 'S', 'K'});
    const Bytes empty = inUdp(kNat4, kMapped, kSelf4, kPort, {});
    const Bytes other_port = inUdp(kNat4, kMapped, kSelf4, kPort + 1, inner);
    const Bytes fragment = inUdp(kNat4, kMapped, kSelf4, kPort, inner, {.fragment = 0x2000});
    const Bytes passing = inUdp(kNat4, kMapped, kPeer4, kPort, inner);
    for (const Bytes& packet : {keepalive, empty, other_port, fragment, passing}) {
        const auto result = receive(packet);
        EXPECT_EQ(result.action, kPass);
        EXPECT_EQ(result.packet, sent(packet));
    }
}

TEST_F(ProgramsNatTest, HomeAgentSendsOnInUdpWhatCameInUdp) {
    openHomeAgent();
    ASSERT_TRUE(forwarder_->setCareOf(kOtherSlice, careOf({kPeer4})).ok());
    const Bytes there = ipv6(kRemote, kOtherSlice, IPPROTO_UDP, udp(1, 2));
    EXPECT_EQ(receive(inUdp(kNat4, kMapped, kSelf4, kPort, there)).packet,
              sent(inUdp(kSelf4, kPort, kPeer4, kPort,
                         ipv6(kRemote, kOtherSlice, IPPROTO_UDP, udp(1, 2), {.hop_limit = 63}))));
    const Bytes back = ipv6(kOtherSlice, kRemote, IPPROTO_UDP, udp(2, 1));
    const Bytes onward = ipv6(kOtherSlice, kRemote, IPPROTO_UDP, udp(2, 1), {.hop_limit = 63});
    EXPECT_EQ(receive(inUdp(kPeer4, kPort, kSelf4, kPort, back)).packet,
              sent(inUdp(kSelf4, kPort, kNat4, kMapped, onward)));
    EXPECT_EQ(receive(ipv4(kPeer4, kSelf4, back)).packet, sent(inUdp(kSelf4, kPort, kNat4, kMapped, onward)))
        << "from a node that does not know yet";
    const auto refused = receive(
        inUdp(kPeer4, kPort, kSelf4, kPort, ipv6(kOtherSlice, kRemote, IPPROTO_UDP, udp(2, 1), {.hop_limit = 1})));
    EXPECT_EQ(refused.action, kPass);
    EXPECT_EQ(refused.mark, HS_KERNEL_MARK + 1472);
}

// A node that nothing hides, with its home agent and a sliver behind the NAT.
TEST_F(ProgramsNatTest, NodesSendToTheHomeAgentInUdp) {
    open(false);
    ASSERT_TRUE(forwarder_->setCareOf(kRemote, careOf({kHidden})).ok());
    EXPECT_EQ(
        fromSliver(ipv6(kLocal, kRemote, IPPROTO_UDP, udp(1, 2))).packet,
        ethernet(kHostMac, kSliverMac, kIpv4Type) +
            inUdp(kSelf4, kPort, kHomeAgent4, kPort, ipv6(kLocal, kRemote, IPPROTO_UDP, udp(1, 2), {.hop_limit = 63})));
    const Bytes inner = ipv6(kRemote, kLocal, IPPROTO_UDP, udp(1, 2));
    EXPECT_EQ(receive(inUdp(kHomeAgent4, kPort, kSelf4, kPort, inner)).packet,
              ethernet(kSliverMac, kHostMac) + ipv6(kRemote, kLocal, IPPROTO_UDP, udp(1, 2), {.hop_limit = 63}));
}

TEST_F(ProgramsNatTest, TheHiddenNodeSpeaksWithItsHomeAgentAlone) {
    openHidden();
    ASSERT_TRUE(forwarder_->setCareOf(kRemote, careOf({kPeer4})).ok());
    for (const Ipv6Address& to : {kRemote, kOtherSlice, kClient}) {
        const Bytes packet = ipv6(kLocal, to, IPPROTO_TCP, tcp(80, 1, kAck));
        EXPECT_EQ(fromSliver(packet).packet,
                  ethernet(kHostMac, kSliverMac, kIpv4Type) +
                      inUdp(kInner4, kPort, kHomeAgent4, kPort,
                            ipv6(kLocal, to, IPPROTO_TCP, tcp(80, 1, kAck), {.hop_limit = 63})));
    }
    const Bytes inner = ipv6(kClient, kLocal, IPPROTO_TCP, tcp(1000, 80, kSyn));
    EXPECT_EQ(
        receive(inUdp(kHomeAgent4, kPort, kInner4, kPort, inner)).packet,
        ethernet(kSliverMac, kHostMac) + ipv6(kClient, kLocal, IPPROTO_TCP, tcp(1000, 80, kSyn), {.hop_limit = 63}));
    EXPECT_EQ(receive(inUdp(kNat4, kPort, kInner4, kPort, inner)).action, kDrop);
    EXPECT_EQ(counters().dropped_untrusted_tunnel, 1u);
    EXPECT_EQ(receive(ipv4(kNat4, kInner4, inner)).action, kDrop);
}

TEST_F(ProgramsNatTest, WhatComesForASliverThatHasLeftGoesBackMarkedAndOnce) {
    openHidden();
    const Bytes inner = ipv6(kClient, kRemote, IPPROTO_TCP, tcp(1, 80, kAck));
    const Bytes onward = ipv6(kClient, kRemote, IPPROTO_TCP, tcp(1, 80, kAck), {.hop_limit = 63});
    const Ipv4Options relayed{.identification = HS_IDENTIFICATION_RELAYED};
    EXPECT_EQ(receive(inUdp(kHomeAgent4, kPort, kInner4, kPort, inner)).packet,
              sent(inUdp(kInner4, kPort, kHomeAgent4, kPort, onward, relayed)));
    EXPECT_EQ(receive(inUdp(kHomeAgent4, kPort, kInner4, kPort, inner, relayed)).action, kDrop);
    EXPECT_EQ(counters().dropped_no_sliver, 1u);
}

TEST_F(ProgramsNatTest, RoutersNarrowThePathOnEitherSide) {
    openHomeAgent();
    const auto hear = [this](const Bytes& quoted, unsigned mtu, const Ipv6Address& self) {
        const Bytes said = Bytes{3, 4, 0, 0, 0, 0} + big16(mtu) + Bytes(quoted.begin(), quoted.begin() + 28);
        EXPECT_EQ(receive(ipv4(kNat4, self, said, {.protocol = IPPROTO_ICMP})).action, kPass);
    };
    const Bytes inner = ipv6(kClient, kRemote, IPPROTO_UDP, udp(1, 2, 1400));
    hear(inUdp(kSelf4, kPort, kNat4, kMapped + 1, inner), 1400, kSelf4);  // to nobody
    hear(inUdp(kSelf4, kPort + 1, kNat4, kMapped, inner), 1400, kSelf4);  // not from the tunnel
    EXPECT_EQ(counters().path_mtu_changes, 0u);
    hear(inUdp(kSelf4, kPort, kNat4, kMapped, inner), 1400, kSelf4);
    EXPECT_EQ(fromUplink(ipv6(kClient, kRemote, IPPROTO_UDP, udp(1, 2, 1360 - 48))).action, kSend);
    EXPECT_EQ(fromUplink(ipv6(kClient, kRemote, IPPROTO_UDP, udp(1, 2, 1361 - 48))).mark, HS_KERNEL_MARK + 1360);

    self_ = kHidden;
    becomeAnother(false);
    ASSERT_TRUE(forwarder_->setCareOf(kRemote, careOf({kPeer4})).ok());
    hear(inUdp(kInner4, kPort, kHomeAgent4, kPort, inner), 1400, kInner4);
    for (const Ipv6Address& to : {kRemote, kOtherSlice, kClient})
        EXPECT_EQ(fromSliver(ipv6(kLocal, to, IPPROTO_UDP, udp(53, 2, 1361 - 48))).mark, HS_KERNEL_MARK + 1360);
}

}  // namespace
}  // namespace homeslice::mobility
