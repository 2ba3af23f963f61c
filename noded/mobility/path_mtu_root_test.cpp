// A path to a node that is narrower than its ends: what goes into the tunnel shrinks by itself, and nothing is lost for
// good.
#include "noded/mobility/bpf/layout.h"
#include "noded/mobility/forwarder_fixture.h"
#include "tests/support/command.h"

namespace homeslice::mobility {
namespace {

constexpr uint32_t kNarrow = 1400;
constexpr int kInside = kNarrow - HS_TUNNEL_OVERHEAD;

class PathMtuTest : public ForwarderTest {
protected:
    void SetUp() override {
        ForwarderTest::SetUp();
        sliver1_.plugInto(*node1_);
        sliver2_.plugInto(*node2_);
        bind(sliver1_.home, *node1_, 1);
        bind(sliver2_.home, *node2_, 1);
    }
    // Behind another router and a narrow link.
    void plugFirstNode() override {
        far_router_ = std::make_unique<TestHost>();
        far_router_->makeRouter();
        plug(*far_router_, "to-far", "fd00:51ce:f::");
        setNarrow(kNarrow);
        router_->addRoute("fd00:51ce:1::/64", "to-far", "fd00:51ce:f::2");
        far_router_->connect("to-node1", sys::randomMac(), node1_->host, "eth0", sys::randomMac(), 1500);
        far_router_->addAddress("to-node1", "fd00:51ce:1::1", 64);
        node1_->host.addAddress("eth0", "fd00:51ce:1::2", 64);
        node1_->host.addRoute("::/0", "eth0", "fd00:51ce:1::1");
    }
    void setNarrow(uint32_t mtu) {
        router_->setMtu("to-far", mtu);
        far_router_->setMtu("eth0", mtu);
    }
    // What the sender's kernel takes for the path's MTU.
    static int pathMtu(int fd) {
        int mtu = 0;
        socklen_t length = sizeof(mtu);
        EXPECT_EQ(::getsockopt(fd, IPPROTO_IPV6, IPV6_MTU, &mtu, &length), 0);
        return mtu;
    }

    std::unique_ptr<TestHost> far_router_;
};

TEST_F(PathMtuTest, ClientLearnsTheMtuOfTheTunnelsPath) {
    // A socket for each size: answers to datagrams that were sent again, which may come late, concern their own alone.
    const auto connected = [this] {
        UniqueFd fd = makeSocket(*client_, SOCK_DGRAM);
        EXPECT_EQ(connectError(fd.get(), sliver1_.home, kEchoPort), 0);
        setOption(fd.get(), IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO);
        return fd;
    };
    // 1460 at first, by the home agent itself; what fits that is lost once at the router, which tells the home agent,
    // and is refused the next time.
    const UniqueFd large = connected();
    EXPECT_EQ(errorOfDatagram(large.get(), 1452), EMSGSIZE);
    EXPECT_EQ(pathMtu(large.get()), 1460);
    const UniqueFd fitting = connected();
    EXPECT_EQ(errorOfDatagram(fitting.get(), 1460 - 48), EMSGSIZE);
    EXPECT_EQ(pathMtu(fitting.get()), kInside);
    EXPECT_GT(home_agent_->forwarder->counters()->path_mtu_changes, 0u);
    EXPECT_EQ(node2_->forwarder->counters()->path_mtu_changes, 0u);
}

TEST_F(PathMtuTest, BulkGetsThroughTheHomeAgent) {
    const EchoServer server(sliver1_.host);
    const UniqueFd fd = makeSocket(*client_, SOCK_STREAM);
    ASSERT_EQ(connectError(fd.get(), sliver1_.home, kEchoPort), 0);
    EXPECT_TRUE(echoBulk(fd.get(), 4U << 20));
    EXPECT_EQ(pathMtu(fd.get()), kInside);
}

TEST_F(PathMtuTest, BulkGetsThroughBetweenSlivers) {
    ASSERT_TRUE(node2_->forwarder->setCareOf(sliver1_.home, careOf({node1_->careOf()})).ok());
    const EchoServer server(sliver1_.host);
    const UniqueFd direct = makeSocket(sliver2_.host, SOCK_STREAM);
    ASSERT_EQ(connectError(direct.get(), sliver1_.home, kEchoPort), 0);
    EXPECT_TRUE(echoBulk(direct.get(), 4U << 20));
    EXPECT_GT(node2_->forwarder->counters()->path_mtu_changes, 0u);
}

// The home agent sends on what came to it by tunnel, and refuses it to the sliver that sent it.
TEST_F(PathMtuTest, BulkGetsThroughBetweenSliversByTheHomeAgent) {
    const EchoServer server(sliver1_.host);
    const UniqueFd fd = makeSocket(sliver2_.host, SOCK_STREAM);
    ASSERT_EQ(connectError(fd.get(), sliver1_.home, kEchoPort), 0);
    EXPECT_TRUE(echoBulk(fd.get(), 4U << 20));
    EXPECT_EQ(pathMtu(fd.get()), kInside);
}

TEST_F(PathMtuTest, OddMtusAreRoundedDown) {
    setNarrow(1415);
    const EchoServer server(sliver1_.host);
    const UniqueFd fd = makeSocket(*client_, SOCK_STREAM);
    ASSERT_EQ(connectError(fd.get(), sliver1_.home, kEchoPort), 0);
    EXPECT_TRUE(echoBulk(fd.get(), 1U << 20));
    EXPECT_EQ(pathMtu(fd.get()), 1360);
}

TEST_F(PathMtuTest, RefusalsAreGoneWithTheForwarder) {
    const auto rules = [this] {
        std::string text;
        home_agent_->host.run([&] {
            text =
                testing_support::runCommand({"sh", "-c", "ip -6 rule; ip -6 route show table all | grep 100::1"}).out;
        });
        return text;
    };
    EXPECT_NE(rules().find("goto"), std::string::npos);
    home_agent_->host.run([&] { EXPECT_EQ(removeForwarder(home_agent_->config()), absl::OkStatus()); });
    EXPECT_EQ(rules().find("48530"), std::string::npos) << rules();
    EXPECT_EQ(rules().find("100::1"), std::string::npos) << rules();
}

}  // namespace
}  // namespace homeslice::mobility
