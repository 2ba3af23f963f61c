// Odd packets on each path of the programs: cut short, with extension headers, in fragments, out of hops, going in
// circles.
#include <cstring>

#include "noded/mobility/programs_fixture.h"

namespace homeslice::mobility {
namespace {

constexpr uint32_t kPass = TC_ACT_OK;
constexpr uint32_t kDrop = TC_ACT_SHOT;
constexpr uint32_t kSend = TC_ACT_REDIRECT;
constexpr uint8_t kHopByHop = 0;
constexpr uint8_t kRouting = 43;
constexpr uint8_t kFragment = 44;
constexpr uint8_t kDestinationOptions = 60;

bool isRefused(const Result& result) {
    return result.action == kPass && (result.mark & HS_KERNEL_MARK_MASK) == HS_KERNEL_MARK;
}

Bytes firstBytes(const Bytes& packet, size_t length) {
    return {packet.begin(), packet.begin() + static_cast<ptrdiff_t>(length)};
}

// An extension header of eight bytes before `payload`, whose protocol is `next`.
Bytes extension(uint8_t next, const Bytes& payload) { return Bytes{next, 0, 1, 4, 0, 0, 0, 0} + payload; }

Bytes packetTooBig(const Bytes& quoted, unsigned mtu) {
    return Bytes{2, 0, 0, 0} + big16(mtu >> 16) + big16(mtu) + quoted;
}

class PacketsTest : public ProgramsTest {
protected:
    Result fromNode(const Bytes& packet) {
        return run("uplink_egress", "up0", ethernet(kRouterMac, kUplinkMac) + packet);
    }
    void bindRemote() { ASSERT_TRUE(forwarder_->setCareOf(kRemote, careOf({kPeer})).ok()); }
};

// PROG_TEST_RUN takes nothing shorter than an IPv6 header. Inside a tunnel it does: see MalformedTunnelledPackets.
TEST_F(PacketsTest, RuntsAreDroppedWhereverTheyAppear) {
    open(true);
    bindRemote();
    const Bytes to_sliver = ipv6(kClient, kRemote, IPPROTO_TCP, tcp(1, 80, kSyn));
    for (size_t length = 40; length < to_sliver.size(); ++length) {
        EXPECT_EQ(fromUplink(firstBytes(to_sliver, length)).action, kDrop) << length;
        EXPECT_EQ(fromNode(firstBytes(to_sliver, length)).action, kDrop) << length;
    }
    becomeAnother(false);
    const Bytes from_sliver = ipv6(kLocal, kRemote, IPPROTO_UDP, udp(1, 2));
    for (size_t length = 40; length < from_sliver.size() - 8; ++length) {
        EXPECT_EQ(fromSliver(firstBytes(from_sliver, length)).action, kDrop) << length;
        EXPECT_EQ(toSliver(firstBytes(from_sliver, length)).action, kDrop) << length;
    }
}

TEST_F(PacketsTest, ExtensionHeadersAreReadThroughOnEachPath) {
    open(true);
    bindRemote();
    for (const uint8_t header : {kHopByHop, kRouting, kDestinationOptions}) {
        const Bytes payload = extension(IPPROTO_TCP, tcp(1, 80, kSyn));
        const auto sent = fromUplink(ipv6(kClient, kRemote, header, payload));
        EXPECT_EQ(sent.action, kSend) << int{header};
        EXPECT_EQ(inside(sent.packet), ipv6(kClient, kRemote, header, payload, {.hop_limit = 63}));
        EXPECT_EQ(fromUplink(ipv6(kClient, kRemote, header, firstBytes(payload, 27))).action, kDrop);
        EXPECT_EQ(fromNode(ipv6(kSelf, kRemote, header, payload)).action, kSend);
        // A length that points behind the packet's end.
        EXPECT_EQ(fromUplink(ipv6(kClient, kRemote, header, Bytes{6, 255, 1, 4, 0, 0, 0, 0} + tcp(1, 80, kSyn))).action,
                  kDrop);
    }
    becomeAnother(false);
    for (const uint8_t header : {kHopByHop, kRouting, kDestinationOptions}) {
        EXPECT_EQ(fromSliver(ipv6(kLocal, kRemote, header, extension(IPPROTO_TCP, tcp(1, 80, kSyn)))).action, kSend);
        EXPECT_EQ(toSliver(ipv6(kClient, kLocal, header, extension(IPPROTO_TCP, tcp(1, 80, kSyn)))).action, kPass);
        EXPECT_EQ(toSliver(ipv6(kClient, kLocal, header, extension(IPPROTO_TCP, tcp(1, 81, kSyn)))).action, kDrop);
        EXPECT_EQ(fromSliver(ipv6(kLocal, kPeer, header, extension(IPPROTO_TCP, tcp(1, 7401, kSyn)))).action, kDrop)
            << "a node's service, hidden behind options";
    }
    Bytes endless = tcp(1, 80, kSyn);
    for (int i = 0; i < 9; ++i) endless = extension(i == 0 ? uint8_t{IPPROTO_TCP} : kDestinationOptions, endless);
    EXPECT_EQ(fromSliver(ipv6(kLocal, kRemote, kDestinationOptions, endless)).action, kDrop);
    EXPECT_EQ(toSliver(ipv6(kClient, kLocal, kDestinationOptions, endless)).action, kDrop);
}

TEST_F(PacketsTest, FragmentsPassEachPathWhole) {
    open(true);
    bindRemote();
    const Bytes first = Bytes{17, 0, 0, 1, 0, 0, 0, 9} + udp(5, 53, 64);
    const Bytes later = Bytes{17, 0, 0, 72, 0, 0, 0, 9} + Bytes(64, 'y');
    const Bytes bare = Bytes{17, 0, 0, 1, 0, 0, 0, 9} + Bytes(4, 0);  // RFC 7112
    for (const Bytes& fragment : {first, later}) {
        const auto sent = fromUplink(ipv6(kClient, kRemote, kFragment, fragment));
        EXPECT_EQ(inside(sent.packet), ipv6(kClient, kRemote, kFragment, fragment, {.hop_limit = 63}));
    }
    EXPECT_EQ(fromUplink(ipv6(kClient, kRemote, kFragment, bare)).action, kDrop);
    becomeAnother(false);
    for (const Bytes& fragment : {first, later}) {
        const auto in = fromUplink(tunnel(kHomeAgent, ipv6(kClient, kLocal, kFragment, fragment)));
        EXPECT_EQ(in.packet,
                  ethernet(kSliverMac, kHostMac) + ipv6(kClient, kLocal, kFragment, fragment, {.hop_limit = 63}));
        EXPECT_EQ(fromSliver(ipv6(kLocal, kRemote, kFragment, fragment)).action, kSend);
        EXPECT_EQ(toSliver(ipv6(kClient, kLocal, kFragment, fragment)).action, kPass);
    }
    EXPECT_EQ(fromSliver(ipv6(kLocal, kRemote, kFragment, bare)).action, kDrop);
}

TEST_F(PacketsTest, LastHopIsRefusedOnEachPath) {
    open(true);
    bindRemote();
    const Bytes payload = udp(1, 2);
    for (const uint8_t hops : {uint8_t{0}, uint8_t{1}}) {
        EXPECT_TRUE(isRefused(fromUplink(ipv6(kClient, kRemote, IPPROTO_UDP, payload, {.hop_limit = hops}))));
        const auto onward =
            fromUplink(tunnel(kPeer3, ipv6(kOtherSlice, kRemote, IPPROTO_UDP, payload, {.hop_limit = hops})));
        EXPECT_TRUE(isRefused(onward)) << "sent on by the home agent";
        EXPECT_EQ(onward.packet.size(), 14 + 40 + payload.size()) << "out of the tunnel";
    }
    becomeAnother(false);
    for (const uint8_t hops : {uint8_t{0}, uint8_t{1}}) {
        const auto in =
            fromUplink(tunnel(kHomeAgent, ipv6(kClient, kLocal, IPPROTO_UDP, udp(1, 53), {.hop_limit = hops})));
        EXPECT_TRUE(isRefused(in));
        EXPECT_TRUE(isRefused(fromSliver(ipv6(kLocal, kRemote, IPPROTO_UDP, payload, {.hop_limit = hops}))));
        EXPECT_TRUE(isRefused(fromSliver(ipv6(kLocal, kLocal2, IPPROTO_UDP, payload, {.hop_limit = hops}))));
    }
    // The tunnel's own hop limit counts for nothing at its end.
    EXPECT_EQ(fromUplink(tunnel(kHomeAgent, ipv6(kClient, kLocal, IPPROTO_UDP, udp(1, 53)), {.hop_limit = 1})).action,
              kSend);
}

TEST_F(PacketsTest, WhatIsForTheNodeItselfIsItsKernels) {
    for (const bool home_agent : {true, false}) {
        becomeAnother(home_agent);
        for (const Bytes& packet :
             {ipv6(kClient, kSelf, IPPROTO_TCP, tcp(1, 22, kSyn)), ipv6(kClient, kSelf, IPPROTO_ICMPV6, icmpv6(128)),
              ipv6(kPeer, kSelf, IPPROTO_UDP, udp(1, 2))}) {
            const auto result = fromUplink(packet);
            EXPECT_EQ(result.action, kPass);
            EXPECT_EQ(result.mark, 0u);
            EXPECT_EQ(result.packet, ethernet(kUplinkMac, kRouterMac) + packet);
        }
        // A tunnel to another node is that node's matter.
        const Bytes passing = tunnel(kPeer, ipv6(kClient, kLocal, IPPROTO_UDP, udp(1, 53)), {}, kPeer3);
        EXPECT_EQ(fromUplink(passing).packet, ethernet(kUplinkMac, kRouterMac) + passing);
    }
}

TEST_F(PacketsTest, NothingGoesInCircles) {
    open(true);
    // Bound to the home agent itself, or back to where it came from.
    ASSERT_TRUE(forwarder_->setCareOf(kRemote, careOf({kSelf})).ok());
    const Bytes inner = ipv6(kOtherSlice, kRemote, IPPROTO_UDP, udp(1, 2));
    EXPECT_EQ(fromUplink(tunnel(kPeer, inner)).action, kDrop);
    EXPECT_EQ(fromNode(ipv6(kSelf, kRemote, IPPROTO_UDP, udp(1, 2))).action, kDrop);
    bindRemote();
    EXPECT_EQ(fromUplink(tunnel(kPeer, inner)).action, kDrop);
    // A tunnel in a tunnel is for no sliver.
    const Bytes nested = tunnel(kPeer, tunnel(kPeer, inner));
    EXPECT_EQ(fromUplink(nested).action, kDrop);
    becomeAnother(false);
    EXPECT_EQ(fromUplink(nested).action, kDrop);
    // The node believes that the sliver is at itself: the home agent knows better.
    ASSERT_TRUE(forwarder_->setCareOf(kRemote, careOf({kSelf})).ok());
    EXPECT_EQ(outerDestination(fromSliver(ipv6(kLocal, kRemote, IPPROTO_UDP, udp(1, 2))).packet), kHomeAgent);
    EXPECT_EQ(outerDestination(fromUplink(tunnel(kPeer, inner)).packet), kHomeAgent);
}

// --- Packet Too Big about the tunnel ---

class TooBigTest : public PacketsTest {
protected:
    void SetUp() override {
        PacketsTest::SetUp();
        open(true);
        bindRemote();
    }
    // Whether a packet of so many bytes still goes into the tunnel.
    bool fits(size_t length) {
        return fromUplink(ipv6(kClient, kRemote, IPPROTO_UDP, udp(1, 2, length - 48))).action == kSend;
    }
    void hear(const Bytes& quoted, unsigned mtu) {
        const Bytes message =
            ipv6(address("2001:db8::1"), kSelf, IPPROTO_ICMPV6, packetTooBig(firstBytes(quoted, 400), mtu));
        EXPECT_EQ(fromUplink(message).action, kPass) << "the kernel may read it too";
    }
    const Bytes large_ = ipv6(kClient, kRemote, IPPROTO_UDP, udp(1, 2, 1400));
};

TEST_F(TooBigTest, LowersWhatGoesIntoThatTunnelOnly) {
    ASSERT_TRUE(forwarder_->setCareOf(kOtherSlice, careOf({kPeer3})).ok());
    ASSERT_TRUE(fits(1460));
    hear(tunnel(kSelf, large_, {}, kPeer), 1400);
    EXPECT_TRUE(fits(1360));
    EXPECT_FALSE(fits(1361));
    EXPECT_EQ(fromUplink(ipv6(kClient, kRemote, IPPROTO_UDP, udp(1, 2, 1400))).mark, HS_KERNEL_MARK + 1360);
    EXPECT_EQ(fromUplink(ipv6(kClient, kOtherSlice, IPPROTO_UDP, udp(1, 2, 1400))).action, kSend);
    EXPECT_EQ(counters().path_mtu_changes, 1u);
    // It follows both ways, and never below what IPv6 needs.
    hear(tunnel(kSelf, large_, {}, kPeer), 600);
    EXPECT_TRUE(fits(1280));
    EXPECT_FALSE(fits(1281));
    hear(tunnel(kSelf, large_, {}, kPeer), 1472);
    EXPECT_TRUE(fits(1420)) << "rounded down to what the kernel can name";
    EXPECT_FALSE(fits(1433));
}

TEST_F(TooBigTest, ForgeriesChangeNothing) {
    hear(tunnel(kPeer, large_, {}, kSelf), 1400);         // not from this node
    hear(tunnel(kSelf, large_, {}, kStranger), 1400);     // to no node of ours
    hear(ipv6(kSelf, kPeer, IPPROTO_UDP, large_), 1400);  // not by tunnel
    hear(tunnel(kSelf, large_, {}, kPeer), 1500);         // no news
    hear(tunnel(kSelf, large_, {}, kPeer), 0xffffffff);
    const Bytes whole = ipv6(kPeer3, kSelf, IPPROTO_ICMPV6, packetTooBig(tunnel(kSelf, large_, {}, kPeer), 1400));
    for (size_t length = 40; length < 40 + 8 + 40; ++length) fromUplink(firstBytes(whole, length));
    Bytes other_type = whole;
    other_type[40] = 1;
    fromUplink(other_type);
    EXPECT_TRUE(fits(1460));
    EXPECT_EQ(counters().path_mtu_changes, 0u);
}

}  // namespace
}  // namespace homeslice::mobility
