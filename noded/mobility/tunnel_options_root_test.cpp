// Tunnelled packets with a destination options header behind the tunnel's own, as Linux's ip6tnl sends them: treated as
// those without it, and dropped when it is not sound.
#include "noded/mobility/programs_fixture.h"

namespace homeslice::mobility {
namespace {

constexpr uint32_t kPass = TC_ACT_OK;
constexpr uint32_t kDrop = TC_ACT_SHOT;
constexpr uint32_t kSend = TC_ACT_REDIRECT;
constexpr uint8_t kDestinationOptions = 60;
constexpr uint8_t kFragment = 44;
constexpr uint8_t kPadN = 1;
constexpr uint8_t kLimit = 4;

// The limit (4), and padding to eight bytes.
const Bytes kOfIp6tnl{IPPROTO_IPV6, 0, kLimit, 1, 4, kPadN, 1, 0};

Bytes padN(size_t length) { return Bytes{kPadN, static_cast<uint8_t>(length)} + Bytes(length, 0); }

// A header of `options`, which fill it.
Bytes header(const Bytes& options, uint8_t next = IPPROTO_IPV6) {
    EXPECT_EQ((options.size() + 2) % 8, 0u);
    return Bytes{next, static_cast<uint8_t>((options.size() + 2) / 8 - 1)} + options;
}

class TunnelOptionsTest : public ProgramsTest {
protected:
    static Bytes tunnelWith(const Bytes& options, const Ipv6Address& from, const Bytes& inner,
                            const Ipv6Options& outer = {}) {
        return ipv6(from, kSelf, kDestinationOptions, options + inner, outer);
    }
    static Bytes toLocal(const Ipv6Options& options = {}) {
        return ipv6(kClient, kLocal, IPPROTO_TCP, tcp(1, 80, kSyn), options);
    }
    static Bytes intoSliver(const Bytes& inner) { return ethernet(kSliverMac, kHostMac) + inner; }
    static Bytes asItCame(const Bytes& packet) { return ethernet(kUplinkMac, kRouterMac) + packet; }
    void bindRemote() { ASSERT_TRUE(forwarder_->setCareOf(kRemote, careOf({kPeer})).ok()); }
};

TEST_F(TunnelOptionsTest, NodeDelivers) {
    open(false);
    const std::vector<Bytes> sound = {
        kOfIp6tnl,
        kOfIp6tnl,                              // once more, by what is known of the pair
        header(Bytes{kLimit, 1, 0} + padN(1)),  // through no further tunnel: here this one ends
        header(padN(4)),
        header(padN(1) + Bytes{kLimit, 1, 4}),
        header(Bytes{kLimit, 1, 4, 0, 0, 0}),
        header(Bytes(6, 0)),
        header(Bytes{0x1e, 4, 1, 2, 3, 4}),  // unknown, to be skipped
        header(padN(255) + padN(255) + padN(255) + padN(255) + padN(16)),
    };
    for (const Bytes& options : sound) {
        const auto in = fromUplink(tunnelWith(options, kHomeAgent, toLocal()));
        EXPECT_EQ(in.action, kSend);
        EXPECT_EQ(in.packet, intoSliver(toLocal({.hop_limit = 63})));
    }
    EXPECT_EQ(counters().decapsulated_packets, sound.size());
    EXPECT_EQ(counters().decapsulated_bytes, sound.size() * toLocal().size());
    EXPECT_EQ(counters().dropped_malformed, 0u);
}

TEST_F(TunnelOptionsTest, FragmentsInsideAndCongestionMarksComeThrough) {
    open(false);
    for (const uint8_t offset : {uint8_t{0}, uint8_t{72}}) {
        const Bytes payload = Bytes{IPPROTO_UDP, 0, 0, static_cast<uint8_t>(offset + 1), 0, 0, 0, 9} + udp(5, 53, 64);
        const auto in = fromUplink(tunnelWith(kOfIp6tnl, kHomeAgent, ipv6(kClient, kLocal, kFragment, payload)));
        EXPECT_EQ(in.packet, intoSliver(ipv6(kClient, kLocal, kFragment, payload, {.hop_limit = 63})));
    }
    const Bytes marked = tunnelWith(kOfIp6tnl, kHomeAgent, toLocal({.traffic_class = 2}), {.traffic_class = 3});
    EXPECT_EQ(fromUplink(marked).packet, intoSliver(toLocal({.hop_limit = 63, .traffic_class = 3})));
}

TEST_F(TunnelOptionsTest, HomeAgentSendsOnWithoutThem) {
    open(true);
    bindRemote();
    const auto onward = [](size_t length, uint8_t hop_limit) {
        return ipv6(kOtherSlice, kRemote, IPPROTO_UDP, udp(1, 2, length), {.hop_limit = hop_limit});
    };
    const auto sent = fromUplink(tunnelWith(kOfIp6tnl, kPeer3, onward(8, 64)));
    EXPECT_EQ(sent.action, kSend);
    EXPECT_EQ(sent.packet.at(14 + 6), IPPROTO_IPV6);
    EXPECT_EQ(outerSource(sent.packet), kSelf);
    EXPECT_EQ(outerDestination(sent.packet), kPeer);
    EXPECT_EQ(inside(sent.packet), onward(8, 63));
    // What is inside counts, not what it came in.
    EXPECT_EQ(fromUplink(tunnelWith(kOfIp6tnl, kPeer3, onward(1412, 64))).action, kSend);
    for (const Bytes& refused : {onward(1413, 64), onward(8, 1)}) {
        const auto answered = fromUplink(tunnelWith(kOfIp6tnl, kPeer3, refused));
        EXPECT_EQ(answered.action, kPass);
        EXPECT_EQ(answered.mark, HS_KERNEL_MARK + 1460);
        EXPECT_EQ(answered.packet, asItCame(refused)) << "out of the tunnel";
    }
}

TEST_F(TunnelOptionsTest, HomeAgentLetsOutOfTheReverseTunnel) {
    open(true);
    bindRemote();
    const Bytes inner = ipv6(kRemote, kClient, IPPROTO_TCP, tcp(80, 1, kAck));
    const auto out = fromUplink(tunnelWith(kOfIp6tnl, kPeer, inner));
    EXPECT_EQ(out.action, kPass);
    EXPECT_EQ(out.packet, asItCame(inner));
    EXPECT_EQ(fromUplink(tunnelWith(kOfIp6tnl, kPeer3, inner)).action, kDrop) << "bound elsewhere";
    EXPECT_EQ(counters().dropped_spoofed_source, 1u);
}

TEST_F(TunnelOptionsTest, NobodyIsTrustedForThem) {
    open(true);
    bindRemote();
    ASSERT_TRUE(forwarder_->setCareOf(kOtherSlice, careOf({kPeer})).ok());
    const Bytes inner = ipv6(kOtherSlice, kRemote, IPPROTO_UDP, udp(1, 2));
    EXPECT_EQ(fromUplink(tunnelWith(kOfIp6tnl, kStranger, inner)).action, kDrop);
    EXPECT_EQ(counters().dropped_untrusted_tunnel, 1u);
    EXPECT_EQ(fromUplink(tunnelWith(kOfIp6tnl, kPeer3, inner)).action, kDrop);
    EXPECT_EQ(counters().dropped_spoofed_source, 1u);
    becomeAnother(false);
    EXPECT_EQ(fromUplink(tunnelWith(kOfIp6tnl, kStranger, toLocal())).action, kDrop);
    EXPECT_EQ(counters().dropped_untrusted_tunnel, 1u);
    EXPECT_EQ(fromUplink(tunnelWith(kOfIp6tnl, kPeer, ipv6(kClient, kLocal, IPPROTO_TCP, tcp(1, 81, kSyn)))).action,
              kDrop);
    EXPECT_EQ(counters().dropped_not_exposed, 1u);
    // Sent on once already, for a sliver that is not here either.
    const Bytes stray = ipv6(kClient, kRemote, IPPROTO_UDP, udp(1, 2));
    EXPECT_EQ(fromUplink(tunnelWith(kOfIp6tnl, kPeer, stray)).action, kSend);
    EXPECT_EQ(fromUplink(tunnelWith(kOfIp6tnl, kPeer, stray, {.flow_label = HS_FLOW_LABEL_RELAYED})).action, kDrop);
    EXPECT_EQ(counters().dropped_no_sliver, 1u);
}

TEST_F(TunnelOptionsTest, UnsoundOnesAreDroppedAndCounted) {
    const std::vector<Bytes> unsound = {
        header({0x44, 4, 0, 0, 0, 0}),  // unknown, each way of not being skipped (RFC 8200 4.2)
        header({0x9e, 4, 0, 0, 0, 0}),
        header({0xfe, 4, 0, 0, 0, 0}),
        header(Bytes{kLimit, 1, 4} + Bytes{0xc9, 1, 0}),
        {IPPROTO_IPV6, 0, kLimit, 5, 4, 0, 0, 0},      // into the packet
        {IPPROTO_IPV6, 0, kLimit, 1, 4, 0, 0, kPadN},  // its length is the packet's first byte
        {IPPROTO_IPV6, 255, kLimit, 1, 4, kPadN, 1, 0},
        {IPPROTO_IPV6, 31, kPadN, 252, 0, 0, 0, 0},  // to the byte, but the packet is shorter
        header(Bytes(14, 0)),                        // more than anyone sends
    };
    for (const bool home_agent : {true, false}) {
        becomeAnother(home_agent);
        for (const Bytes& options : unsound) {
            EXPECT_EQ(fromUplink(tunnelWith(options, kPeer, toLocal())).action, kDrop);
        }
        EXPECT_EQ(counters().dropped_malformed, unsound.size());
        EXPECT_EQ(counters().decapsulated_packets, 0u);
    }
}

TEST_F(TunnelOptionsTest, RuntsAreDropped) {
    open(false);
    const Bytes whole = tunnelWith(kOfIp6tnl, kHomeAgent, toLocal());
    for (size_t length = 40; length < whole.size(); ++length) {
        const Bytes runt(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(length));
        EXPECT_EQ(fromUplink(runt).action, length < 42 ? kPass : kDrop) << length << ": not known to be a tunnel's";
    }
    EXPECT_EQ(counters().decapsulated_packets, 0u);
}

TEST_F(TunnelOptionsTest, OthersThanTunnelsAreTheKernels) {
    const Bytes segment = tcp(1, 22, kSyn);
    const std::vector<Bytes> packets = {
        ipv6(kClient, kSelf, kDestinationOptions, header(padN(4), IPPROTO_TCP) + segment),
        ipv6(kPeer, kSelf, kDestinationOptions, header(padN(4), kDestinationOptions) + kOfIp6tnl + toLocal()),
        ipv6(kPeer, kSelf, kDestinationOptions, header({0xc9, 4, 0, 0, 0, 0}, IPPROTO_TCP) + segment),
        ipv6(kPeer, kPeer3, kDestinationOptions, kOfIp6tnl + toLocal()),  // another node's
    };
    for (const bool home_agent : {true, false}) {
        becomeAnother(home_agent);
        for (const Bytes& packet : packets) {
            const auto result = fromUplink(packet);
            EXPECT_EQ(result.action, kPass);
            EXPECT_EQ(result.mark, 0u);
            EXPECT_EQ(result.packet, asItCame(packet));
        }
    }
}

}  // namespace
}  // namespace homeslice::mobility
