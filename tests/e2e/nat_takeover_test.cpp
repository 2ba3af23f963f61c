// node2 is behind a NAT, node1 is not. Two home agents: the NAT lets either one's packets in, for node2 keeps a mapping
// at both. What a client has open goes on when one ends, and datagrams find a sliver that moves in and out.
#include <gmock/gmock.h>

#include "tests/e2e/home_agent_fixture.h"

namespace homeslice::testing_support {
namespace {

using testing::HasSubstr;

class NatTakeoverTest : public HomeAgentTest {
protected:
    static void SetUpTestSuite() { bringUp({"--nodes", "2", "--ipv4", "--behind-nat", "1", "--home-agents", "2"}); }

    // What the echo server at `address` says to a sliver that calls.
    static std::string greetingTo(const std::string& sliver, const std::string& address) {
        return slicectl({"exec", sliver, "--", "timeout", "1", "nc", address, "7"}).out;
    }
    static void expectTheyReachEachOther(const std::string& why) {
        for (const auto& [from, to] : {std::pair{"echo/1", "echo/2"}, std::pair{"echo/2", "echo/1"}}) {
            const std::string address = slicectlJson({"sliver", "show", to}).value("home_address", "");
            EXPECT_TRUE(eventually([&] { return !greetingTo(from, address).empty(); })) << from << " to " << to << why;
        }
    }
};

TEST_F(NatTakeoverTest, StreamsGoOnWhenTheHomeAgentInChargeIsKilled) {
    createEcho("echo", {"--on", "node1,node2"});
    const std::string first = holders().at(0);
    const EchoStream inside(homeAddress("echo/2"));
    const EchoStream outside(homeAddress("echo/1"));
    expectGoesOn(inside, "before");
    endAndExpectTakeover(first, End::killed);
    expectGoesOn(inside, "behind the NAT, after the takeover");
    expectGoesOn(outside, "outside, after the takeover");
    expectTheyReachEachOther(" after the takeover");
    EXPECT_TRUE(eventually([&] { return !holds(first); })) << "two hold the address for good";
    expectGoesOn(inside, "behind the NAT, after the lease of the dead one");
    std::printf("longest echo over TCP: %d ms\n", static_cast<int>(inside.longest().count()));

    // And back again, to one that had no mapping of the node after its start.
    HS_EXPECT_DONE(slicectl({"lab", "restart"}));
    endAndExpectTakeover(otherThan(first), End::killed);
    expectGoesOn(inside, "behind the NAT, after the second takeover");
    expectTheyReachEachOther(" after the second takeover");
}

TEST_F(NatTakeoverTest, StreamsGoOnWhenTheHomeAgentInChargeIsCutOff) {
    createEcho("echo", {"--on", "node1,node2"});
    const std::string first = holders().at(0);
    const EchoStream inside(homeAddress("echo/2"));
    expectGoesOn(inside, "before");
    endAndExpectTakeover(first, End::cut_off);
    expectGoesOn(inside, "after the takeover");
    expectTheyReachEachOther(" after the takeover");
    setLink(first, "up");
    EXPECT_TRUE(eventually([&] { return !holds(first); })) << "two in charge after the link is back";
    expectGoesOn(inside, "after the link is back");
}

TEST_F(NatTakeoverTest, DatagramsOfOneSocketFindASliverThatMovesInAndOut) {
    createEcho("echo", {"--on", "node1"});
    const std::string address = homeAddress("echo/1");
    const EchoDatagrams datagrams(address);
    const auto goOn = [&] {
        const uint64_t before = datagrams.answered();
        return eventually([&] { return datagrams.answered() > before + 20; });
    };
    EXPECT_TRUE(goOn()) << "before";
    for (const char* node : {"node2", "node1", "node2"}) {
        SCOPED_TRACE(node);
        HS_EXPECT_DONE(slicectl({"sliver", "move", "echo/1", "--to", node}));
        EXPECT_TRUE(goOn());
        EXPECT_THAT(slicectl({"home", "show", "echo/1"}).out, HasSubstr(node));
        EXPECT_EQ(homeAddress("echo/1"), address);
    }
    std::printf("answered: %d of %d\n", static_cast<int>(datagrams.answered()), static_cast<int>(datagrams.sent()));
}

}  // namespace
}  // namespace homeslice::testing_support
