// Packets between addresses that the programs remember (bpf/paths.bpf.h): they are treated as the first ones were,
// until anything changes.
#include <algorithm>
#include <set>

#include "noded/mobility/programs_fixture.h"

namespace homeslice::mobility {
namespace {

constexpr sys::MacAddress kPeerMac{0x02, 0, 0, 0, 0, 0x40};
constexpr sys::MacAddress kPeer3Mac{0x02, 0, 0, 0, 0, 0x41};
constexpr sys::MacAddress kAgentMac{0x02, 0, 0, 0, 0, 0x42};

class PathsTest : public ProgramsTest {
protected:
    void SetUp() override {
        ProgramsTest::SetUp();
        open(false);
        host_->shell(
            "ip -6 address add fd00:51ce::1/64 dev up0 nodad; ip -6 neigh add fd00:51ce::2 lladdr 02:00:00:00:00:40 "
            "dev "
            "up0; ip -6 neigh add fd00:51ce::3 lladdr 02:00:00:00:00:41 dev up0; ip -6 neigh add fd00:51ce::a0a0 "
            "lladdr "
            "02:00:00:00:00:42 dev up0");
        ASSERT_TRUE(forwarder_->setCareOf(kRemote, careOf({kPeer})).ok());
    }

    static Bytes segment(const Ipv6Address& from = kLocal, const Ipv6Address& to = kRemote, unsigned port = 1000) {
        return ipv6(from, to, IPPROTO_TCP, tcp(port, 80, kAck));
    }
    // The third packet finds the path known, unless more than 50 ms passed: the first found the next hop, the second
    // kept what it found.
    Result send(const Bytes& packet = segment()) {
        Result result;
        for (int i = 0; i < 3; ++i) result = fromSliver(packet);
        return result;
    }
    Ipv6Address sentTo(const Bytes& packet = segment()) { return outerDestination(fromSliver(packet).packet); }
    Result arrive(const Bytes& inner = segment(kRemote, kLocal)) {
        fromUplink(tunnel(kPeer, inner));
        return fromUplink(tunnel(kPeer, inner));
    }
    static void expectDropped(const Result& result) { EXPECT_EQ(result.action, static_cast<uint32_t>(TC_ACT_SHOT)); }
};

TEST_F(PathsTest, WhatIsSentByAKnownPathIsByteForByteTheSame) {
    const Bytes first = fromSliver(segment()).packet;
    const uint32_t label = outerFlowLabel(first);
    EXPECT_NE(label, 0U);
    const Bytes inner = ipv6(kLocal, kRemote, IPPROTO_TCP, tcp(1000, 80, kAck), {.hop_limit = 63});
    const Bytes expected = ethernet(kPeerMac, kUplinkMac) + tunnel(kSelf, inner, {.flow_label = label}, kPeer);
    unsigned sent = 1;
    EXPECT_TRUE(eventually([&] {
        const Result known = send();
        sent += 3;
        EXPECT_EQ(known.action, static_cast<uint32_t>(TC_ACT_REDIRECT));
        return known.packet == expected;
    }));
    EXPECT_EQ(counters().encapsulated_packets, sent);
    EXPECT_EQ(counters().encapsulated_bytes, sent * inner.size());
    const auto flows = forwarder_->takeFlows({}, {}, std::chrono::hours(1));
    ASSERT_EQ(flows->size(), 1U);
    EXPECT_EQ(flows->front().packets, sent);
}

TEST_F(PathsTest, EachPacketKeepsItsTrafficClassAndFlowLabel) {
    send();
    const Bytes marked = ipv6(kLocal, kRemote, IPPROTO_UDP, udp(7, 8), {.traffic_class = 0x2a});
    const Bytes known = fromSliver(marked).packet;
    ASSERT_TRUE(forwarder_->setCareOf(kRemote, careOf({kPeer})).ok());
    const Bytes anew = fromSliver(marked).packet;
    EXPECT_EQ(Bytes(known.begin() + 14, known.end()), Bytes(anew.begin() + 14, anew.end()));
    EXPECT_NE(outerFlowLabel(known), outerFlowLabel(fromSliver(segment()).packet));
}

// What is changed behind noded's back is not seen, what noded changes is.
TEST_F(PathsTest, ThePathIsKeptUntilNodedSaysThatSomethingHasChanged) {
    EXPECT_TRUE(eventually([this] {  // within the 50 ms of a path
        EXPECT_TRUE(forwarder_->setCareOf(kRemote, careOf({kPeer})).ok());
        send();
        EXPECT_TRUE(programs_->bindings().erase(toWire(kRemote)).ok());
        return sentTo() == kPeer;
    }));
    ASSERT_TRUE(programs_->forgetPaths().ok());
    EXPECT_EQ(sentTo(), kHomeAgent);
    EXPECT_TRUE(eventually([this] { return send().packet.at(5) == kAgentMac.at(5); }));
}

TEST_F(PathsTest, AMoveIsSeenByTheNextPacket) {
    send();
    ASSERT_TRUE(forwarder_->setCareOf(kRemote, careOf({kPeer3})).ok());
    EXPECT_EQ(sentTo(), kPeer3);
    EXPECT_EQ(outerDestination(send().packet), kPeer3);
    ASSERT_TRUE(forwarder_->setCareOf(kRemote, {}).ok());
    EXPECT_EQ(outerDestination(send().packet), kHomeAgent);
    ASSERT_TRUE(forwarder_->setHomeAgent(kPeer).ok());
    EXPECT_EQ(sentTo(), kPeer);
}

TEST_F(PathsTest, ANeighbourThatIsElsewhereIsFoundAgain) {
    EXPECT_TRUE(eventually([this] { return send().packet.at(5) == kPeerMac.at(5); }));
    host_->shell("ip -6 neigh replace fd00:51ce::2 lladdr 02:00:00:00:00:41 dev up0");
    EXPECT_TRUE(eventually([this] { return send().packet.at(5) == kPeer3Mac.at(5); }));
}

TEST_F(PathsTest, NobodySendsByThePathOfAnother) {
    send();
    const uint64_t before = counters().dropped_spoofed_source;
    expectDropped(run("port_ingress", "port1", ethernet(kHostMac, kSliverMac2) + segment()));
    expectDropped(run("port_ingress", "port2", ethernet(kHostMac2, kSliverMac2) + segment()));
    expectDropped(run("port_ingress", "port2", ethernet(kHostMac, kSliverMac) + segment()));
    expectDropped(fromSliver(segment(kLocal2)));
    EXPECT_EQ(counters().dropped_spoofed_source, before + 4);
}

TEST_F(PathsTest, APortThatIsGoneSendsAndReceivesNothing) {
    send();
    arrive();
    host_->run([&] { ASSERT_EQ(forwarder_->removePort(port1()), absl::OkStatus()); });
    expectDropped(fromSliver(segment()));
    // To where the sliver went, for all that the node knows.
    EXPECT_EQ(outerDestination(fromUplink(tunnel(kPeer, segment(kRemote, kLocal))).packet), kHomeAgent);
}

TEST_F(PathsTest, WhatIsTooBigOrHasTravelledTooFarIsRefused) {
    send();
    const Bytes big = ipv6(kLocal, kRemote, IPPROTO_UDP, udp(1, 2, 1413));
    EXPECT_EQ(fromSliver(big).mark, HS_KERNEL_MARK + 1460);
    EXPECT_EQ(fromSliver(ipv6(kLocal, kRemote, IPPROTO_TCP, tcp(1000, 80, kAck), {.hop_limit = 1})).mark,
              HS_KERNEL_MARK + 1460);
}

TEST_F(PathsTest, APathThatGetsNarrowIsNarrowForTheNextPacket) {
    const Bytes packet = ipv6(kLocal, kRemote, IPPROTO_UDP, udp(1, 2, 1400));
    EXPECT_EQ(send(packet).mark, 0U);
    const Bytes quoted = tunnel(kSelf, packet, {}, kPeer);
    Bytes too_big = icmpv6(2, quoted);
    const Bytes mtu = big16(0) + big16(1400);
    std::copy(mtu.begin(), mtu.end(), too_big.begin() + 4);
    fromUplink(ipv6(kPeer3, kSelf, IPPROTO_ICMPV6, too_big));
    EXPECT_EQ(counters().path_mtu_changes, 1U);
    EXPECT_EQ(fromSliver(packet).mark, HS_KERNEL_MARK + 1360);
}

TEST_F(PathsTest, AFlowOfUdpThatBeginsOnAKnownPathIsAnswered) {
    ASSERT_TRUE(forwarder_->setCareOf(kOtherSlice, careOf({kPeer})).ok());
    send(segment(kLocal, kOtherSlice));
    const Bytes answer = tunnel(kPeer, ipv6(kOtherSlice, kLocal, IPPROTO_UDP, udp(9, 5000)));
    expectDropped(fromUplink(answer));
    fromSliver(ipv6(kLocal, kOtherSlice, IPPROTO_UDP, udp(5000, 9)));
    EXPECT_EQ(fromUplink(answer).action, static_cast<uint32_t>(TC_ACT_REDIRECT));
}

TEST_F(PathsTest, QuestionsToTheResolverFindItWhateverWasSentThere) {
    const Ipv6Address resolver = address("fd51:1ce::53");
    send(ipv6(kLocal, resolver, IPPROTO_UDP, udp(1, 99)));
    const Bytes question = ipv6(kLocal, resolver, IPPROTO_UDP, udp(1, 53));
    EXPECT_EQ(fromSliver(question).action, static_cast<uint32_t>(TC_ACT_OK));
}

TEST_F(PathsTest, FlowsToASharedAddressAreChosenOneByOne) {
    const Ipv6Address shared = kOtherSlice.withInterfaceId(1);
    ASSERT_TRUE(forwarder_->setCareOf(shared, careOf({kPeer, kPeer3})).ok());
    std::set<Ipv6Address> chosen;
    for (unsigned port = 1000; port < 1064; ++port) {
        const Ipv6Address to = outerDestination(send(segment(kLocal, shared, port)).packet);
        EXPECT_EQ(sentTo(segment(kLocal, shared, port)), to);
        chosen.insert(to);
    }
    EXPECT_EQ(chosen.size(), 2U);
}

// More pairs than there are places.
TEST_F(PathsTest, PairsThatMeetInAPlaceDoNotTakeEachOthersPath) {
    const auto home = [](unsigned i) { return kOtherSlice.withInterfaceId(1000 + i); };
    const auto peer = [](unsigned i) { return i % 3 == 0 ? kPeer : i % 3 == 1 ? kPeer3 : kHomeAgent; };
    constexpr unsigned kPairs = 2 * HS_PATHS;
    for (unsigned i = 0; i < kPairs; ++i) ASSERT_TRUE(forwarder_->setCareOf(home(i), careOf({peer(i)})).ok());
    for (int round = 0; round < 3; ++round)
        for (unsigned i = 0; i < kPairs; ++i) ASSERT_EQ(sentTo(segment(kLocal, home(i))), peer(i)) << i;
}

TEST_F(PathsTest, WhatArrivesAgainIsDeliveredTheSame) {
    const Bytes inner = ipv6(kRemote, kLocal, IPPROTO_TCP, tcp(1000, 80, kAck), {.hop_limit = 63});
    const Result first = fromUplink(tunnel(kPeer, segment(kRemote, kLocal)));
    const Result known = arrive();
    EXPECT_EQ(known.action, static_cast<uint32_t>(TC_ACT_REDIRECT));
    EXPECT_EQ(known.packet, ethernet(kSliverMac, kHostMac) + inner);
    EXPECT_EQ(known.packet, first.packet);
    EXPECT_EQ(counters().decapsulated_packets, 3U);
    EXPECT_EQ(counters().decapsulated_bytes, 3 * inner.size());
}

TEST_F(PathsTest, CongestionOnTheWayIsToldToWhomItConcerns) {
    arrive();
    const Bytes inner = ipv6(kRemote, kLocal, IPPROTO_TCP, tcp(1000, 80, kAck), {.traffic_class = 0x02});
    const Bytes got = fromUplink(tunnel(kPeer, inner, {.traffic_class = 0x03})).packet;
    EXPECT_EQ(inside(ethernet(kSliverMac, kHostMac) + tunnel(kPeer, Bytes(got.begin() + 14, got.end()))),
              ipv6(kRemote, kLocal, IPPROTO_TCP, tcp(1000, 80, kAck), {.hop_limit = 63, .traffic_class = 0x03}));
}

TEST_F(PathsTest, APeerThatIsTrustedNoMoreIsNotHeard) {
    arrive();
    const Bytes packet = tunnel(kPeer, segment(kRemote, kLocal));
    expectDropped(fromUplink(tunnel(kStranger, segment(kRemote, kLocal))));
    EXPECT_EQ(counters().dropped_untrusted_tunnel, 1U);
    ASSERT_TRUE(forwarder_->setTrustedPeers({kPeer3, kHomeAgent}).ok());
    expectDropped(fromUplink(packet));
    EXPECT_EQ(counters().dropped_untrusted_tunnel, 2U);
}

TEST_F(PathsTest, WhatMayEnterIsAskedOfEachPacket) {
    const auto syn = [](unsigned port) { return ipv6(kOtherSlice, kLocal, IPPROTO_TCP, tcp(1000, port, kSyn)); };
    EXPECT_EQ(arrive(syn(80)).action, static_cast<uint32_t>(TC_ACT_REDIRECT));
    expectDropped(fromUplink(tunnel(kPeer, syn(81))));
    EXPECT_EQ(counters().dropped_not_exposed, 1U);
    EXPECT_EQ(
        fromUplink(tunnel(kPeer, ipv6(kOtherSlice, kLocal, IPPROTO_TCP, tcp(1, 80, kSyn), {.hop_limit = 1}))).mark,
        HS_KERNEL_MARK + 1460);
}

TEST_F(PathsTest, WhatIsMalformedIsDroppedOnKnownPathsToo) {
    send();
    arrive();
    const Bytes cut = ipv6(kLocal, kRemote, IPPROTO_TCP, Bytes(10, 0));
    expectDropped(fromSliver(cut));
    expectDropped(fromUplink(tunnel(kPeer, ipv6(kRemote, kLocal, IPPROTO_TCP, Bytes(10, 0)))));
    EXPECT_EQ(counters().dropped_malformed, 2U);
}

}  // namespace
}  // namespace homeslice::mobility
