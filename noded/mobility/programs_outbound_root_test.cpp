// What slivers send to hosts outside when their node lets it out under its own addresses: what is marked for
// translation, and what is not.
#include "noded/mobility/programs_fixture.h"
#include "noded/mobility/test_ipv4_packet.h"

namespace homeslice::mobility {
namespace {

constexpr uint32_t kPass = TC_ACT_OK;
constexpr uint32_t kDrop = TC_ACT_SHOT;
const Ipv6Address kSliver4 = ipv4Address("100.64.0.1");
const Ipv6Address kHost4 = ipv4Address("198.51.100.1");

class ProgramsOutboundTest : public ProgramsTest {
protected:
    ProgramsOutboundTest() { outbound_ = true; }
    void SetUp() override {
        ProgramsTest::SetUp();
        open(false);
        SliverPort port = port1();
        port.ipv4_address = kSliver4;
        host_->run([&] { ASSERT_EQ(forwarder_->addPort(port), absl::OkStatus()); });
    }
    // 0: sent as it is; else the mark.
    uint32_t markOf(uint8_t protocol, const Bytes& payload) {
        const Bytes packet = ipv6(kLocal, kClient, protocol, payload);
        const auto result = fromSliver(packet);
        EXPECT_EQ(result.action, kPass);
        EXPECT_EQ(result.packet, ethernet(kHostMac, kSliverMac) + packet);
        return result.mark;
    }
    Result sendIpv4(const Ipv6Address& from, const Ipv6Address& to, const sys::MacAddress& mac = kSliverMac) {
        return run("port_ingress", "port1",
                   ethernet(kHostMac, mac, kIpv4Type) + ipv4(from, to, udp(1, 2), {.protocol = IPPROTO_UDP}));
    }
};

TEST_F(ProgramsOutboundTest, WhatASliverBeginsIsTranslated) {
    EXPECT_EQ(markOf(IPPROTO_TCP, tcp(1000, 80, kSyn)), HS_OUTBOUND_MARK);
    EXPECT_EQ(markOf(IPPROTO_TCP, tcp(1000, 80, kAck)), HS_OUTBOUND_MARK) << "of the same connection";
    EXPECT_EQ(markOf(IPPROTO_UDP, udp(1000, 53)), HS_OUTBOUND_MARK);
    EXPECT_EQ(markOf(IPPROTO_ICMPV6, icmpv6(128)), HS_OUTBOUND_MARK);
    // A datagram in fragments.
    EXPECT_EQ(markOf(44, Bytes{17, 0, 0, 1, 0, 0, 0, 9} + udp(1000, 53, 64)), HS_OUTBOUND_MARK);
    EXPECT_EQ(markOf(44, Bytes{17, 0, 0, 72, 0, 0, 0, 9} + Bytes(64, 'y')), HS_OUTBOUND_MARK);
}

TEST_F(ProgramsOutboundTest, WhatItAnswersIsNot) {
    EXPECT_EQ(markOf(IPPROTO_TCP, tcp(80, 1000, kSyn | kAck)), 0u);
    EXPECT_EQ(markOf(IPPROTO_TCP, tcp(80, 1000, kAck)), 0u);
    EXPECT_EQ(markOf(IPPROTO_UDP, udp(53, 1000)), 0u) << "from an exposed port";
    EXPECT_EQ(markOf(IPPROTO_ICMPV6, icmpv6(129)), 0u);
    EXPECT_EQ(markOf(44, Bytes{17, 0, 0, 1, 0, 0, 0, 8} + udp(53, 1000, 64)), 0u);
    EXPECT_EQ(markOf(44, Bytes{17, 0, 0, 72, 0, 0, 0, 8} + Bytes(64, 'y')), 0u);
    EXPECT_EQ(outerDestination(fromSliver(ipv6(kLocal, kRemote, IPPROTO_TCP, tcp(1, 80, kSyn))).packet), kHomeAgent)
        << "home addresses are reached by tunnel";
}

TEST_F(ProgramsOutboundTest, Ipv4IsTheSliversOwnOrDropped) {
    const auto sent = sendIpv4(kSliver4, kHost4);
    EXPECT_EQ(sent.action, kPass);
    EXPECT_EQ(sent.mark, HS_OUTBOUND_MARK);
    EXPECT_EQ(sendIpv4(ipv4Address("100.64.0.2"), kHost4).action, kDrop);
    EXPECT_EQ(sendIpv4(kHost4, kHost4).action, kDrop);
    EXPECT_EQ(sendIpv4(kSliver4, kHost4, kSliverMac2).action, kDrop);
    EXPECT_EQ(counters().dropped_spoofed_source, 3u);
    // The other sliver of the node has no IPv4 address.
    EXPECT_EQ(run("port_ingress", "port2",
                  ethernet(kHostMac2, kSliverMac2, kIpv4Type) + ipv4({}, kHost4, udp(1, 2), {.protocol = IPPROTO_UDP}))
                  .action,
              kDrop);
}

TEST_F(ProgramsOutboundTest, Ipv4ReachesHostsOutsideOnly) {
    ASSERT_TRUE(forwarder_->guard(ipv4Address("198.51.100.7")).ok());
    ASSERT_TRUE(forwarder_->setTrustedPeers({kHomeAgent, ipv4Address("198.51.100.8")}).ok());
    uint64_t refused = 0;
    for (const char* to : {"0.0.0.1", "127.0.0.1", "169.254.169.254", "100.64.0.2", "100.64.255.255", "224.0.0.1",
                           "255.255.255.255", "198.51.100.7", "198.51.100.8"}) {
        EXPECT_EQ(sendIpv4(kSliver4, ipv4Address(to)).action, kDrop) << to;
        EXPECT_EQ(counters().dropped_not_exposed, ++refused) << to;
    }
    for (const char* to : {"1.0.0.1", "126.255.255.255", "100.65.0.1", "169.253.0.1", "223.255.255.254", "10.0.0.1"})
        EXPECT_EQ(sendIpv4(kSliver4, ipv4Address(to)).mark, HS_OUTBOUND_MARK) << to;
}

TEST_F(ProgramsOutboundTest, Ipv4ToASliverIsForItsAddress) {
    const auto receive = [this](const Ipv6Address& to) {
        return run("port_egress", "port1",
                   ethernet(kSliverMac, kHostMac, kIpv4Type) + ipv4(kHost4, to, udp(2, 1), {.protocol = IPPROTO_UDP}))
            .action;
    };
    EXPECT_EQ(receive(kSliver4), kPass);
    EXPECT_EQ(receive(ipv4Address("100.64.0.2")), kDrop);
}

TEST_F(ProgramsOutboundTest, WithoutItNothingIsMarkedAndIpv4IsDropped) {
    outbound_ = false;
    becomeAnother(false);
    EXPECT_EQ(markOf(IPPROTO_TCP, tcp(1000, 80, kSyn)), 0u);
    EXPECT_EQ(sendIpv4(kSliver4, kHost4).action, kDrop);
}

}  // namespace
}  // namespace homeslice::mobility
