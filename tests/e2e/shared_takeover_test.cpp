// Connections to a slice's own address, which several slivers serve, across the end of the home agent that chose among
// them: each goes on with the sliver that it has. A TCP connection that got to another one would be reset.
#include <set>

#include "tests/e2e/home_agent_fixture.h"

namespace homeslice::testing_support {
namespace {

constexpr size_t kSlivers = 4;
constexpr size_t kStreams = 8;

class SharedTakeoverTest : public HomeAgentTest {
protected:
    std::string startTeam(const std::string& balance) {
        createEcho("team", {"--on", "node1,node2", "--slivers", std::to_string(kSlivers)});
        HS_EXPECT_DONE(slicectl({"slice", "set", "team", "--balance", balance}));
        return slicectlJson({"slice", "show", "team"}).value("address", "");
    }
    static std::set<std::string> serversOf(const Streams& streams) {
        std::set<std::string> servers;
        for (const auto& stream : streams) servers.insert(stream->server());
        return servers;
    }
};

TEST_F(SharedTakeoverTest, RoundRobinConnectionsStayWithTheirSliversAfterAKill) {
    const std::string address = startTeam("round-robin");
    const std::string first = holders().at(0);
    const Streams streams = streamsTo(address, kStreams);
    EXPECT_EQ(serversOf(streams).size(), kSlivers) << "they take turns";
    expectAllGoOn(streams, "before");
    endAndExpectTakeover(first, End::killed);
    expectAllGoOn(streams, "after the takeover");
    EXPECT_TRUE(eventually([&] { return !holds(first); })) << "two hold the address for good";
    expectAllGoOn(streams, "after the lease of the dead one");
    EXPECT_EQ(serversOf(streamsTo(address, kStreams)).size(), kSlivers) << "new ones take turns at the other too";
}

TEST_F(SharedTakeoverTest, ConnectionsOfADrainingSliverStayWithItAfterACutLink) {
    const std::string address = startTeam("hash");
    const std::string first = holders().at(0);
    const Streams streams = streamsTo(address, kStreams);
    expectAllGoOn(streams, "before");
    const std::string leaving = streams.front()->server();  // SLICE-INDEX
    HS_EXPECT_DONE(slicectl({"sliver", "drain", "team/" + leaving.substr(leaving.rfind('-') + 1)}));
    EXPECT_FALSE(serversOf(streamsTo(address, kStreams)).contains(leaving));
    expectAllGoOn(streams, "after the drain");
    endAndExpectTakeover(first, End::cut_off);
    expectAllGoOn(streams, "after the takeover");
    EXPECT_FALSE(serversOf(streamsTo(address, kStreams)).contains(leaving));
}

// What a killed home agent remembered comes back to it from the other.
TEST_F(SharedTakeoverTest, ConnectionsOutliveBothHomeAgentsOneAfterTheOther) {
    const std::string address = startTeam("round-robin");
    const std::string first = holders().at(0);
    const Streams streams = streamsTo(address, kStreams);
    endAndExpectTakeover(first, End::killed);
    expectAllGoOn(streams, "after the first takeover");
    const Streams later = streamsTo(address, kStreams);
    HS_EXPECT_DONE(slicectl({"lab", "restart"}));
    expectAllGoOn(streams, "with the first one back");
    endAndExpectTakeover(otherThan(first), End::killed);
    expectAllGoOn(streams, "after the second takeover");
    expectAllGoOn(later, "those that began in between, after the second takeover");
}

}  // namespace
}  // namespace homeslice::testing_support
