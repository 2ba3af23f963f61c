// How flows to a shared home address spread: the programs' choice, packet by packet.
#include <algorithm>
#include <map>
#include <mutex>
#include <set>

#include "noded/mobility/bpf/rendezvous.h"
#include "noded/mobility/flow_news.h"
#include "noded/mobility/programs_fixture.h"

namespace homeslice::mobility {
namespace {

// The node of binding id 1, 2 and so on; all are trusted.
Ipv6Address nodeOf(uint16_t id) { return address("fd00:51ce::").withInterfaceId(0x100 + id); }

CareOfSet nodes(uint16_t count, Balance balance = Balance::hash) {
    CareOfSet set{.members = {}, .balance = balance};
    for (uint16_t id = 1; id <= count; ++id) set.members.push_back({.address = nodeOf(id), .binding_id = id});
    return set;
}

class BalanceTest : public ProgramsTest {
protected:
    void SetUp() override {
        ProgramsTest::SetUp();
        open(true);
    }
    void share(const CareOfSet& set) { ASSERT_EQ(forwarder_->setCareOf(kSlice, set), absl::OkStatus()); }
    // The care-of address that a packet of the flow is sent to; unspecified when it is sent nowhere.
    Ipv6Address sendTcp(unsigned port, uint8_t flags) {
        const auto result = fromUplink(ipv6(kClient, kSlice, IPPROTO_TCP, tcp(port, 80, flags)));
        return result.action == TC_ACT_REDIRECT ? outerDestination(result.packet) : Ipv6Address();
    }
    std::map<unsigned, Ipv6Address> begin(unsigned first, unsigned count) {
        std::map<unsigned, Ipv6Address> flows;
        for (unsigned port = first; port < first + count; ++port) flows[port] = sendTcp(port, kSyn);
        return flows;
    }
    static std::map<Ipv6Address, unsigned> sharesOf(const std::map<unsigned, Ipv6Address>& flows) {
        std::map<Ipv6Address, unsigned> shares;
        for (const auto& [port, node] : flows) ++shares[node];
        return shares;
    }
    void expectLiving(const std::map<unsigned, Ipv6Address>& flows) {
        for (const auto& [port, node] : flows) EXPECT_EQ(sendTcp(port, kAck), node) << port;
    }
};

TEST_F(BalanceTest, OneMoreMovesItsShareOfNewFlowsAndNoOldOne) {
    constexpr unsigned kFlows = 2000;
    for (const uint16_t n : std::initializer_list<uint16_t>{2, 4, 10}) {
        becomeAnother(true);
        share(nodes(n - 1));
        const auto before = begin(1000, kFlows);
        share(nodes(n));
        expectLiving(before);
        // What the same flows would choose if they began now: another home agent, that remembers nothing, knows.
        becomeAnother(true);
        share(nodes(n));
        unsigned moved = 0;
        for (const auto& [port, node] : begin(1000, kFlows)) {
            if (node == before.at(port)) continue;
            ++moved;
            EXPECT_EQ(node, nodeOf(n)) << "moved between two that were there before and after";
        }
        EXPECT_LE(moved, 1.2 / n * kFlows) << n;
        EXPECT_GT(moved, 0.7 / n * kFlows) << n;
    }
}

TEST_F(BalanceTest, OneLessMovesOnlyItsOwnFlows) {
    constexpr unsigned kFlows = 1000;
    share(nodes(5));
    const auto before = begin(1000, kFlows);
    CareOfSet rest = nodes(5);
    rest.members.erase(rest.members.begin() + 2);
    share(rest);
    for (const auto& [port, node] : before) {
        const Ipv6Address now = sendTcp(port, kAck);
        EXPECT_TRUE(node == nodeOf(3) ? now != nodeOf(3) : now == node) << port;
    }
    // What the same flows would choose if they began now.
    becomeAnother(true);
    share(rest);
    unsigned moved = 0;
    for (const auto& [port, node] : begin(1000, kFlows)) moved += node == before.at(port) ? 0 : 1;
    EXPECT_LE(moved, 1.2 / 5 * kFlows);
    EXPECT_EQ(moved, sharesOf(before).at(nodeOf(3))) << "none but those of the one that has gone";
}

TEST_F(BalanceTest, HomeAgentsThatKnowTheSameChooseTheSame) {
    CareOfSet set = nodes(6);
    for (CareOf& member : set.members) member.weight = member.binding_id;
    share(set);
    const auto here = begin(1000, 300);
    becomeAnother(true);
    std::reverse(set.members.begin(), set.members.end());
    share(set);
    EXPECT_EQ(begin(1000, 300), here);
}

TEST_F(BalanceTest, WeightsSetTheShares) {
    CareOfSet set = nodes(3);
    set.members[0].weight = 1;
    set.members[1].weight = 3;
    set.members[2].weight = 6;
    share(set);
    const auto shares = sharesOf(begin(1000, 4000));
    EXPECT_NEAR(shares.at(nodeOf(1)), 400, 100);
    EXPECT_NEAR(shares.at(nodeOf(2)), 1200, 150);
    EXPECT_NEAR(shares.at(nodeOf(3)), 2400, 200);
}

TEST_F(BalanceTest, FlowsFollowASliverThatMoves) {
    share(nodes(3));
    const auto before = begin(1000, 200);
    CareOfSet moved = nodes(3);
    moved.members[1].address = nodeOf(9);
    share(moved);
    for (const auto& [port, node] : before) EXPECT_EQ(sendTcp(port, kAck), node == nodeOf(2) ? nodeOf(9) : node);
}

TEST_F(BalanceTest, DrainingTakesNoNewFlowAndKeepsTheOldOnes) {
    for (const Balance balance : {Balance::hash, Balance::round_robin, Balance::least_load, Balance::nearest}) {
        share(nodes(3, balance));
        const unsigned first = 1000 + 1000 * static_cast<unsigned>(balance);
        const auto before = begin(first, 100);
        ASSERT_EQ(sharesOf(before).size(), 3u);
        CareOfSet draining = nodes(3, balance);
        draining.members[1].draining = true;
        share(draining);
        expectLiving(before);
        EXPECT_EQ(sharesOf(begin(first + 500, 200)).count(nodeOf(2)), 0u);
        for (const auto& [port, node] : before) {
            if (node == nodeOf(2)) {
                EXPECT_NE(sendTcp(port, kSyn), node) << "a connection that is opened anew";
            }
        }
        share(nodes(3, balance));
        EXPECT_GT(sharesOf(begin(first + 700, 100)).count(nodeOf(2)), 0u) << "no longer draining";
    }
}

TEST_F(BalanceTest, WhenAllDrainNewFlowsFindNoOne) {
    share(nodes(1));
    const auto before = begin(1000, 5);
    CareOfSet draining = nodes(1);
    draining.members[0].draining = true;
    share(draining);
    expectLiving(before);
    const auto refused = fromUplink(ipv6(kClient, kSlice, IPPROTO_TCP, tcp(3000, 80, kSyn)));
    EXPECT_EQ(refused.action, static_cast<uint32_t>(TC_ACT_OK)) << "the kernel's unreachable route answers";
}

TEST_F(BalanceTest, RoundRobinGoesInTurn) {
    CareOfSet set = nodes(3, Balance::round_robin);
    set.members[0].weight = 2;
    share(set);
    const auto flows = begin(1000, 40);
    const auto shares = sharesOf(flows);
    EXPECT_EQ(shares.at(nodeOf(1)), 20u);
    EXPECT_EQ(shares.at(nodeOf(2)), 10u);
    EXPECT_EQ(shares.at(nodeOf(3)), 10u);
    expectLiving(flows);
    // An error about an unknown flow takes nobody's turn.
    const Bytes quoted = ipv6(kSlice, kClient, IPPROTO_TCP, tcp(80, 9, kAck));
    fromUplink(ipv6(kClient, kSlice, IPPROTO_ICMPV6, icmpv6(2, quoted)));
    EXPECT_EQ(sharesOf(begin(2000, 4)).at(nodeOf(1)), 2u);
}

TEST_F(BalanceTest, LeastLoadEvensOut) {
    CareOfSet set = nodes(3, Balance::least_load);
    set.members[0].load = 10;
    set.members[1].load = 4;
    share(set);
    auto shares = sharesOf(begin(1000, 16));  // to 10 each
    EXPECT_EQ(shares.count(nodeOf(1)), 0u);
    EXPECT_EQ(shares.at(nodeOf(2)), 6u);
    EXPECT_EQ(shares.at(nodeOf(3)), 10u);
    EXPECT_EQ(sharesOf(begin(2000, 30)),
              (std::map<Ipv6Address, unsigned>{{nodeOf(1), 10}, {nodeOf(2), 10}, {nodeOf(3), 10}}));
    // The second reports that most have gone; of the others it is remembered what they were given.
    set.members[1].load = 5;
    set.members[1].report = 1;
    share(set);
    shares = sharesOf(begin(3000, 15));
    EXPECT_EQ(shares, (std::map<Ipv6Address, unsigned>{{nodeOf(2), 15}}));
    // Twice the weight, twice the connections.
    set.members[2].weight = 2;
    share(set);
    shares = sharesOf(begin(4000, 20));
    EXPECT_EQ(shares, (std::map<Ipv6Address, unsigned>{{nodeOf(3), 20}}));
}

TEST_F(BalanceTest, NearestIsAsFarAsWasMeasured) {
    using std::chrono::milliseconds;
    share(nodes(3, Balance::nearest));
    EXPECT_EQ(sharesOf(begin(1000, 100)).size(), 3u) << "nothing was measured yet";
    EXPECT_EQ(forwarder_->measuredAddresses().size(), 3u);
    for (const uint16_t id : std::initializer_list<uint16_t>{1, 2, 3})
        ASSERT_EQ(forwarder_->setRoundTrip(nodeOf(id), milliseconds(id == 3 ? 2 : 20)), absl::OkStatus());
    const auto near = begin(2000, 100);
    EXPECT_EQ(sharesOf(near), (std::map<Ipv6Address, unsigned>{{nodeOf(3), 100}}));
    EXPECT_EQ(forwarder_->roundTripTo(nodeOf(3)), milliseconds(2));

    ASSERT_EQ(forwarder_->setRoundTrip(nodeOf(3), milliseconds(200)), absl::OkStatus());
    expectLiving(near);
    const auto farther = begin(3000, 100);
    EXPECT_EQ(sharesOf(farther).count(nodeOf(3)), 0u);
    EXPECT_EQ(sharesOf(farther).size(), 2u) << "those that are as near share by hash";
    share(nodes(2, Balance::nearest));
    expectLiving(farther);
}

// What one home agent chose, another goes on with: by word of the first, and by what it remembers.
TEST_F(BalanceTest, FlowsGoOnAtAnotherHomeAgent) {
    for (const Balance balance : {Balance::round_robin, Balance::least_load, Balance::nearest}) {
        becomeAnother(true);
        share(nodes(3, balance));
        FlowNews news;
        std::mutex mutex;
        std::vector<ChosenFlow> told;
        news.watch([&](const std::vector<ChosenFlow>& flows) {
            const std::lock_guard lock(mutex);
            told.insert(told.end(), flows.begin(), flows.end());
        });
        const auto reader = FlowReader::start(*forwarder_, news);
        ASSERT_TRUE(reader.ok()) << reader.status();
        const auto before = begin(1000, 60);
        expectLiving(before);
        ASSERT_TRUE(eventually([&] {
            const std::lock_guard lock(mutex);
            return told.size() >= before.size();
        }));
        const std::vector<ChosenFlow> remembered = forwarder_->flows();
        EXPECT_EQ(told.size(), before.size()) << "each is told once";
        EXPECT_EQ(remembered.size(), before.size());
        for (const auto& flows : {told, remembered}) {
            becomeAnother(true);
            share(nodes(3, balance));
            begin(3000, 1);  // it has taken another turn
            for (const ChosenFlow& flow : flows) ASSERT_EQ(forwarder_->rememberFlow(flow, true), absl::OkStatus());
            expectLiving(before);
        }
    }
}

TEST_F(BalanceTest, WhatIsKnownHereIsNewerThanWhatWasKnownElsewhere) {
    share(nodes(2));
    const auto here = begin(1000, 10);
    for (const ChosenFlow& flow : forwarder_->flows()) {
        ChosenFlow other = flow;
        other.binding_id = static_cast<uint16_t>(3 - flow.binding_id);
        ASSERT_EQ(forwarder_->rememberFlow(other, true), absl::OkStatus());
    }
    expectLiving(here);
    for (const ChosenFlow& flow : forwarder_->flows()) {
        ChosenFlow other = flow;
        other.binding_id = static_cast<uint16_t>(3 - flow.binding_id);
        ASSERT_EQ(forwarder_->rememberFlow(other, false), absl::OkStatus());
    }
    for (const auto& [port, node] : here) EXPECT_NE(sendTcp(port, kAck), node) << port;
}

TEST_F(BalanceTest, EachMemberHasCountersOfItsOwn) {
    const auto packets_of = [this](uint16_t id) {
        return forwarder_->countersOf({.home_address = kSlice, .binding_id = id})->packets;
    };
    share(nodes(3));
    const auto flows = begin(1000, 60);
    const auto shares = sharesOf(flows);
    for (const uint16_t id : std::initializer_list<uint16_t>{1, 2, 3}) EXPECT_EQ(packets_of(id), shares.at(nodeOf(id)));
    const Bytes inner = ipv6(kClient, kSlice, IPPROTO_TCP, tcp(1000, 80, kSyn));
    EXPECT_EQ(forwarder_->countersOf({.home_address = kSlice, .binding_id = 1})->bytes,
              shares.at(nodeOf(1)) * inner.size());

    // They stay while the set changes around them, and go with the binding.
    const uint64_t second = packets_of(2);
    CareOfSet rest = nodes(3);
    rest.members.erase(rest.members.begin());
    rest.members[0].weight = 7;
    share(rest);
    EXPECT_EQ(packets_of(2), second);
    EXPECT_EQ(packets_of(1), 0u);
    share(nodes(3));
    EXPECT_EQ(packets_of(1), 0u);
    share({});
    share(nodes(3));
    EXPECT_EQ(packets_of(2), 0u);
}

TEST_F(BalanceTest, FragmentsGoWhereTheirFlowGoes) {
    share(nodes(8));
    for (unsigned port = 1000; port < 1050; ++port) {
        const auto whole = fromUplink(ipv6(kClient, kSlice, IPPROTO_UDP, udp(port, 53)));
        const auto number = static_cast<uint8_t>(port - 1000);
        const auto first =
            fromUplink(ipv6(kClient, kSlice, 44, Bytes{17, 0, 0, 1, 0, 0, 0, number} + udp(port, 53, 64)));
        const auto later = fromUplink(ipv6(kClient, kSlice, 44, Bytes{17, 0, 0, 72, 0, 0, 0, number} + Bytes(64, 0)));
        EXPECT_EQ(outerDestination(first.packet), outerDestination(whole.packet));
        EXPECT_EQ(outerDestination(later.packet), outerDestination(whole.packet));
        EXPECT_EQ(outerFlowLabel(later.packet), outerFlowLabel(first.packet)) << "one packet takes one path";
        // So does an error about a fragment that was sent.
        const Bytes quoted = ipv6(kSlice, kClient, 44, Bytes{17, 0, 0, 1, 0, 0, 0, 7} + udp(53, port, 64));
        const auto error = fromUplink(ipv6(address("2001:db8::1"), kSlice, IPPROTO_ICMPV6, icmpv6(2, quoted)));
        EXPECT_EQ(outerDestination(error.packet), outerDestination(whole.packet));
    }
}

TEST_F(BalanceTest, EchoesHaveAFlowByTheirIdentifier) {
    share(nodes(8));
    std::set<Ipv6Address> seen;
    for (uint8_t identifier = 0; identifier < 100; ++identifier) {
        const Bytes echo = ipv6(kClient, kSlice, IPPROTO_ICMPV6, Bytes{128, 0, 0, 0, 7, identifier, 0, 1});
        const Bytes next = ipv6(kClient, kSlice, IPPROTO_ICMPV6, Bytes{128, 0, 0, 0, 7, identifier, 0, 2});
        const Ipv6Address node = outerDestination(fromUplink(echo).packet);
        EXPECT_EQ(outerDestination(fromUplink(next).packet), node);
        seen.insert(node);
    }
    EXPECT_EQ(seen.size(), 8u);
}

TEST_F(BalanceTest, ManySetsAndTheirChangesFit) {
    for (uint64_t slice = 0; slice < 3000; ++slice) {
        const Ipv6Address home = address("fd51:1ce:7::").withInterfaceId(slice);
        for (const uint16_t count : std::initializer_list<uint16_t>{1, 3, 128})
            ASSERT_EQ(forwarder_->setCareOf(home, nodes(count, Balance::least_load)), absl::OkStatus()) << slice;
    }
}

// --- Among the slivers of one node ---

class LocalBalanceTest : public ProgramsTest {
protected:
    void SetUp() override {
        ProgramsTest::SetUp();
        open(false);
    }
    Bytes sendTcp(unsigned port, uint8_t flags) {
        const auto result = fromUplink(tunnel(kHomeAgent, ipv6(kRemote, kSlice, IPPROTO_TCP, tcp(port, 80, flags))));
        return {result.packet.begin(), result.packet.begin() + 14};
    }
    void replug(const SliverPort& port) {
        host_->run([&] { ASSERT_EQ(forwarder_->addPort(port), absl::OkStatus()); });
    }
    const Bytes first_ = ethernet(kSliverMac, kHostMac);
    const Bytes second_ = ethernet(kSliverMac2, kHostMac2);
};

TEST_F(LocalBalanceTest, DrainingSliverKeepsWhatItHas) {
    std::map<unsigned, Bytes> before;
    for (unsigned port = 1000; port < 1100; ++port) before[port] = sendTcp(port, kSyn);
    SliverPort draining = port2();
    draining.draining = true;
    replug(draining);
    for (const auto& [port, header] : before) EXPECT_EQ(sendTcp(port, kAck), header);
    for (unsigned port = 2000; port < 2100; ++port) EXPECT_EQ(sendTcp(port, kSyn), first_);
    replug(port2());
    unsigned second = 0;
    for (unsigned port = 3000; port < 3100; ++port) second += sendTcp(port, kSyn) == second_ ? 1 : 0;
    EXPECT_GT(second, 20u);
}

TEST_F(LocalBalanceTest, OneThatDoesNotServeGetsNothingUntilItDoes) {
    EXPECT_EQ(forwarder_->setServing(port2().home_address, false), absl::OkStatus());
    for (unsigned port = 1000; port < 1100; ++port) EXPECT_EQ(sendTcp(port, kSyn), first_);
    replug(port2());
    for (unsigned port = 2000; port < 2100; ++port) EXPECT_EQ(sendTcp(port, kSyn), first_) << "with another share";
    EXPECT_EQ(forwarder_->setServing(port2().home_address, true), absl::OkStatus());
    unsigned second = 0;
    for (unsigned port = 3000; port < 3100; ++port) second += sendTcp(port, kSyn) == second_ ? 1 : 0;
    EXPECT_GT(second, 20u);
    EXPECT_EQ(forwarder_->setServing(kRemote, false), absl::OkStatus()) << "nobody that is here";
}

// By hash, the node comes to the sliver that the home agent chose the node for.
TEST_F(LocalBalanceTest, NodeAndHomeAgentAgree) {
    std::map<unsigned, Bytes> here;
    for (unsigned port = 1000; port < 1100; ++port) here[port] = sendTcp(port, kSyn);
    becomeAnother(true);
    ASSERT_EQ(forwarder_->setCareOf(kSlice, careOf({kPeer, kPeer3})), absl::OkStatus());
    for (const auto& [port, header] : here) {
        const auto result = fromUplink(tunnel(kHomeAgent, ipv6(kRemote, kSlice, IPPROTO_TCP, tcp(port, 80, kSyn))));
        EXPECT_EQ(outerDestination(result.packet) == kPeer, header == first_) << port;
    }
}

TEST_F(LocalBalanceTest, WeightsAndTurnsCountHereToo) {
    SliverPort heavy = port2();
    heavy.weight = 3;
    heavy.balance = Balance::round_robin;
    replug(heavy);
    unsigned second = 0;
    for (unsigned port = 1000; port < 1100; ++port) second += sendTcp(port, kSyn) == second_ ? 1 : 0;
    EXPECT_EQ(second, 75u);
}

}  // namespace
}  // namespace homeslice::mobility
