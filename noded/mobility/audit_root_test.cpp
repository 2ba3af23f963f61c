// What the programs record of slivers' flows, and the way to the node's resolver.
#include <algorithm>

#include "noded/mobility/bpf/audit.h"
#include "noded/mobility/programs_fixture.h"

namespace homeslice::mobility {
namespace {

constexpr uint8_t kSyn = 0x02;
constexpr size_t kUdpBytes = 40 + 8 + 8;  // headers and what test_packet.h's datagrams carry

class AuditTest : public ProgramsTest {
protected:
    void SetUp() override {
        ProgramsTest::SetUp();
        if (!IsSkipped() && !HasFatalFailure()) open(false);
    }
    std::vector<FlowRecord> flows(Monotonic::time_point since = {}, Monotonic::time_point ended_before = {},
                                  std::chrono::seconds longest = std::chrono::hours(1)) {
        return forwarder_->takeFlows(since, ended_before, longest).value();
    }
    Result sendUdp(const Ipv6Address& to, unsigned source_port, unsigned port, const Ipv6Address& from = kLocal) {
        return fromSliver(ipv6(from, to, IPPROTO_UDP, udp(source_port, port)));
    }
};

TEST_F(AuditTest, EachFlowIsOneRecordOfItsPacketsAndTimes) {
    const auto before = Monotonic::now();
    for (int i = 0; i < 3; ++i) sendUdp(kClient, 1000, 53000);
    sendUdp(kRemote, 1000, 53001);
    const auto records = flows();
    ASSERT_EQ(records.size(), 2U);
    const auto outside = std::find_if(records.begin(), records.end(),
                                      [](const FlowRecord& record) { return record.destination == kClient; });
    ASSERT_NE(outside, records.end());
    EXPECT_EQ(outside->home_address, kLocal);
    EXPECT_EQ(outside->source, kLocal);
    EXPECT_EQ(outside->source_port, 1000);
    EXPECT_EQ(outside->destination_port, 53000);
    EXPECT_EQ(outside->protocol, IPPROTO_UDP);
    EXPECT_EQ(outside->packets, 3U);
    EXPECT_EQ(outside->bytes, 3 * kUdpBytes);
    EXPECT_GE(outside->first, before);
    EXPECT_LE(outside->last, Monotonic::now());
}

TEST_F(AuditTest, WhatIsSentAsTheSliceNamesTheSliver) {
    sendUdp(kClient, 53, 1000, kSlice);
    const auto records = flows();
    ASSERT_EQ(records.size(), 1U);
    EXPECT_EQ(records[0].source, kSlice);
    EXPECT_EQ(records[0].home_address, kLocal);
}

TEST_F(AuditTest, WhatNeverLeavesAccusesNobody) {
    sendUdp(kClient, 1000, 53000, kLocal2);
    fromSliver(ipv6(kLocal, kPeer, IPPROTO_TCP, tcp(1000, 7401, kSyn)));
    EXPECT_TRUE(flows().empty()) << "a forged source, and a node's own service";
    EXPECT_EQ(counters().dropped_spoofed_source, 1U);
    EXPECT_EQ(counters().dropped_not_exposed, 1U);
}

TEST_F(AuditTest, OfTooManyFlowsTheRestIsCountedTogether) {
    constexpr unsigned kTooMany = 100;
    for (unsigned i = 0; i < HS_AUDIT_NEW_FLOWS + kTooMany; ++i) sendUdp(kClient, 1000, 10000 + i);
    const auto records = flows();
    uint64_t packets = 0;
    uint64_t together = 0;
    for (const FlowRecord& record : records) {
        packets += record.packets;
        if (!record.destination.isUnspecified()) continue;
        EXPECT_EQ(record.home_address, kLocal);
        EXPECT_EQ(record.protocol, IPPROTO_UDP);
        together += record.packets;
    }
    EXPECT_EQ(packets, HS_AUDIT_NEW_FLOWS + kTooMany) << "no packet is without a trace";
    EXPECT_GT(together, 0U);
    EXPECT_LE(records.size(), HS_AUDIT_NEW_FLOWS + kTooMany);
}

TEST_F(AuditTest, FlowsThatHaveEndedOrLastTooLongAreForgotten) {
    sendUdp(kClient, 1000, 53000);
    EXPECT_EQ(flows().size(), 1U);
    EXPECT_TRUE(flows(Monotonic::now()).empty()) << "nothing new";
    EXPECT_EQ(flows().size(), 1U) << "but still there";
    flows({}, Monotonic::now());
    EXPECT_TRUE(flows().empty());
    sendUdp(kClient, 1000, 53000);
    EXPECT_EQ(flows({}, {}, std::chrono::seconds(0)).size(), 1U);
    EXPECT_TRUE(flows().empty());
}

// PREFIX::53 is the node's own; everything else there is a home address that nobody has.
TEST_F(AuditTest, TheResolverIsReachedOnItsPortsAlone) {
    const Ipv6Address resolver = address("fd51:1ce::53");
    const auto passes = [&](const Result& result) { return result.action == TC_ACT_OK && result.mark == 0; };
    EXPECT_TRUE(passes(sendUdp(resolver, 1000, 53)));
    EXPECT_TRUE(passes(fromSliver(ipv6(kLocal, resolver, IPPROTO_TCP, tcp(1000, 53, kSyn)))));
    EXPECT_FALSE(passes(sendUdp(resolver, 1000, 54)));
    EXPECT_FALSE(passes(sendUdp(address("fd51:1ce::54"), 1000, 53)));
    EXPECT_FALSE(passes(sendUdp(address("fd51:1ce:0:1::53"), 1000, 53)));
    EXPECT_FALSE(passes(sendUdp(resolver, 1000, 53, kLocal2))) << "a forged source";
}

}  // namespace
}  // namespace homeslice::mobility
