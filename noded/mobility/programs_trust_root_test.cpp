// Whom the programs believe: frames for others, sources inside tunnels, the reverse tunnel.
#include "noded/mobility/programs_fixture.h"

namespace homeslice::mobility {
namespace {

constexpr uint32_t kPass = TC_ACT_OK;
constexpr uint32_t kDrop = TC_ACT_SHOT;
constexpr uint32_t kSend = TC_ACT_REDIRECT;

using ProgramsTrustTest = ProgramsTest;

// A switch floods what it does not know the port of; with several home agents each would send a copy on.
TEST_F(ProgramsTrustTest, FramesForOthersAreLeftAlone) {
    const sys::MacAddress other{0x02, 0, 0, 0, 0, 0x99};
    const auto flood = [&](const Bytes& packet) {
        const Bytes frame = ethernet(other, kRouterMac) + packet;
        const auto result = run("uplink_ingress", "up0", frame);
        EXPECT_EQ(result.action, kPass);
        EXPECT_EQ(result.packet, frame);
    };
    open(true);
    ASSERT_TRUE(forwarder_->setCareOf(kRemote, careOf({kPeer})).ok());
    const Bytes plain = ipv6(kClient, kRemote, IPPROTO_TCP, tcp(1, 80, kSyn));
    EXPECT_EQ(fromUplink(plain).action, kSend);
    flood(plain);
    flood(tunnel(kPeer3, plain));
    EXPECT_EQ(counters().encapsulated_packets, 1u);
    becomeAnother(false);
    const Bytes tunnelled = tunnel(kHomeAgent, ipv6(kClient, kLocal, IPPROTO_TCP, tcp(1, 80, kSyn)));
    EXPECT_EQ(fromUplink(tunnelled).action, kSend);
    flood(tunnelled);
    EXPECT_EQ(counters().decapsulated_packets, 1u);
}

TEST_F(ProgramsTrustTest, HomeAgentKnowsWhoseSourcesComeFromWhere) {
    open(true);
    ASSERT_TRUE(forwarder_->setCareOf(kRemote, careOf({kPeer3})).ok());
    ASSERT_TRUE(forwarder_->setCareOf(kOtherSlice, careOf({kPeer})).ok());
    const Bytes inner = ipv6(kOtherSlice, kRemote, IPPROTO_UDP, udp(1, 2));
    EXPECT_EQ(fromUplink(tunnel(kPeer, inner)).action, kSend);
    EXPECT_EQ(fromUplink(tunnel(kHomeAgent, inner)).action, kDrop);
    EXPECT_EQ(counters().dropped_spoofed_source, 1u);
    // What a node sends on for a sliver that has left comes from elsewhere.
    EXPECT_EQ(fromUplink(tunnel(kHomeAgent, inner, {.flow_label = HS_FLOW_LABEL_RELAYED})).action, kSend);
    // A source that is not bound yet is nobody else's.
    ASSERT_TRUE(forwarder_->setCareOf(kOtherSlice, {}).ok());
    EXPECT_EQ(fromUplink(tunnel(kHomeAgent, inner)).action, kSend);
    // One that several have is theirs.
    const Bytes shared = ipv6(kSlice, kRemote, IPPROTO_UDP, udp(1, 2));
    ASSERT_TRUE(forwarder_->setCareOf(kSlice, careOf({kPeer, kPeer3})).ok());
    EXPECT_EQ(fromUplink(tunnel(kPeer, shared)).action, kSend);
    EXPECT_EQ(fromUplink(tunnel(kHomeAgent, shared)).action, kDrop);
    EXPECT_EQ(counters().dropped_spoofed_source, 2u);
}

TEST_F(ProgramsTrustTest, HomeAgentLetsOutOfTheReverseTunnelWhatIsBoundThere) {
    open(true);
    ASSERT_TRUE(forwarder_->setCareOf(kRemote, careOf({kPeer})).ok());
    const Bytes inner = ipv6(kRemote, kClient, IPPROTO_TCP, tcp(80, 1, kAck));
    const auto out = fromUplink(tunnel(kPeer, inner));
    EXPECT_EQ(out.action, kPass);
    EXPECT_EQ(out.mark, 0u);
    EXPECT_EQ(out.packet, ethernet(kUplinkMac, kRouterMac) + inner) << "its hop limit is the kernel's matter";
    EXPECT_EQ(fromUplink(tunnel(kPeer3, inner)).action, kDrop) << "bound elsewhere";
    EXPECT_EQ(counters().dropped_spoofed_source, 1u);
    const auto refused = [this](const Ipv6Address& from, const Ipv6Address& to) {
        const uint64_t before = counters().dropped_no_sliver;
        EXPECT_EQ(fromUplink(tunnel(kPeer, ipv6(from, to, IPPROTO_TCP, tcp(80, 1, kAck)))).action, kDrop);
        return counters().dropped_no_sliver == before + 1;
    };
    EXPECT_TRUE(refused(kOtherSlice, kClient)) << "bound nowhere";
    EXPECT_TRUE(refused(kClient, kStranger)) << "no home address";
    EXPECT_TRUE(refused(kRemote, address("fe80::1")));
    EXPECT_TRUE(refused(kRemote, address("ff02::1")));
    // Only home agents send on.
    becomeAnother(false);
    EXPECT_EQ(fromUplink(tunnel(kPeer, ipv6(kRemote, kClient, IPPROTO_TCP, tcp(80, 1, kAck)))).action, kDrop);
}

TEST_F(ProgramsTrustTest, NodeSendsByTheHomeAgentWhenTold) {
    reverse_tunnel_ = true;
    open(false);
    const Bytes payload = tcp(80, 1, kAck);
    const auto sent = fromSliver(ipv6(kLocal, kClient, IPPROTO_TCP, payload));
    EXPECT_EQ(sent.action, kSend);
    EXPECT_EQ(outerDestination(sent.packet), kHomeAgent);
    EXPECT_EQ(inside(sent.packet), ipv6(kLocal, kClient, IPPROTO_TCP, payload, {.hop_limit = 63}));
    EXPECT_EQ(fromSliver(ipv6(kLocal, kClient, IPPROTO_TCP, payload, {.hop_limit = 1})).mark, HS_KERNEL_MARK + 1460);
    EXPECT_EQ(fromSliver(ipv6(kLocal, kClient, IPPROTO_UDP, udp(53, 2, 1413))).mark, HS_KERNEL_MARK + 1460);
    // What the node asked is answered at home; a service of a node stays out of reach.
    EXPECT_EQ(fromSliver(ipv6(kLocal, kSelf, IPPROTO_TCP, payload)).action, kPass);
    EXPECT_EQ(fromSliver(ipv6(kLocal, kPeer, IPPROTO_TCP, tcp(1, 7401, kSyn))).action, kDrop);
    EXPECT_EQ(fromSliver(ipv6(kClient, kClient, IPPROTO_TCP, payload)).action, kDrop);
}

}  // namespace
}  // namespace homeslice::mobility
