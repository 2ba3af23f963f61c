// Slivers' way out under their node's addresses, to hosts of IPv6 and IPv4 that know nothing of home addresses.
#include <algorithm>

#include "base/ipv4.h"
#include "noded/mobility/forwarder_fixture.h"
#include "noded/mobility/outbound.h"
#include "noded/sys/netlink_ipv4.h"
#include "noded/sys/traffic_control.h"

namespace homeslice::mobility {
namespace {

const Ipv6Address kClientIpv4 = parseAddress("10.51.12.2").value();
const Ipv6Address kClientIpv6 = address("2001:db8:c::2");

// Takes one TCP connection and one datagram, and tells from where they came.
class Witness {
public:
    explicit Witness(const TestHost& host)
        : listener_(makeSocket(host, SOCK_STREAM)), datagrams_(makeSocket(host, SOCK_DGRAM)) {
        const sockaddr_in6 here = socketAddress(Ipv6Address(), kEchoPort);
        setOption(listener_.get(), SOL_SOCKET, SO_REUSEADDR, 1);
        EXPECT_EQ(::bind(listener_.get(), generic(here), sizeof(here)), 0) << errno;
        EXPECT_EQ(::listen(listener_.get(), 8), 0) << errno;
        EXPECT_EQ(::bind(datagrams_.get(), generic(here), sizeof(here)), 0) << errno;
    }
    // Of the connection that waits, or comes.
    Ipv6Address caller() {
        sockaddr_in6 from{};
        socklen_t length = sizeof(from);
        connection_.reset(::accept4(listener_.get(), reinterpret_cast<sockaddr*>(&from), &length, SOCK_CLOEXEC));
        EXPECT_TRUE(connection_.valid()) << errno;
        return Ipv6Address(from.sin6_addr);
    }
    int connection() const { return connection_.get(); }
    // Of the datagram that waits, or comes; it is sent back.
    Ipv6Address echoDatagram() {
        sockaddr_in6 from{};
        socklen_t length = sizeof(from);
        std::string text(64, '\0');
        const ssize_t got =
            ::recvfrom(datagrams_.get(), text.data(), text.size(), 0, reinterpret_cast<sockaddr*>(&from), &length);
        EXPECT_GT(got, 0) << errno;
        ::sendto(datagrams_.get(), text.data(), static_cast<size_t>(got), 0, generic(from), length);
        return Ipv6Address(from.sin6_addr);
    }

private:
    UniqueFd listener_;
    UniqueFd datagrams_;
    UniqueFd connection_;
};

class OutboundTest : public ForwarderTest {
protected:
    void prepare() override {
        router_->shell("ip address add 10.51.12.1/24 dev to-client; ip address add 10.51.1.1/24 dev to-node1");
        client_->shell("ip address add 10.51.12.2/24 dev eth0; ip route add default via 10.51.12.1");
        node1_->host.shell("ip address add 10.51.1.2/24 dev eth0; ip route add default via 10.51.1.1");
        node1_->letOut();
    }
    void SetUp() override {
        ForwarderTest::SetUp();
        plugWithIpv4(sliver1_, 1);
        bind(sliver1_.home, *node1_, 1);
    }
    // As the network isolator does.
    void plugWithIpv4(Sliver& sliver, uint16_t number, bool queued = false) {
        const Ipv6Address ipv4 = sliverIpv4(number);
        sliver.giveIpv4(ipv4);
        sliver.plugInto(*node1_, queued);
        sys::Netlink& outer = node1_->host.netlink();
        const int port = node1_->host.index(sliver.portName());
        EXPECT_EQ(outer.addNeighbour(port, sliver.home, sliver.mac()), absl::OkStatus());
        EXPECT_EQ(outer.addRoute(Ipv6Prefix(sliver.home, 128), port, std::nullopt), absl::OkStatus());
        const int link = sliver.host.index("eth0");
        for (int again = 0; again < 2; ++again) {
            EXPECT_EQ(sys::addIpv4Route(outer, ipv4, port, sliver.home), absl::OkStatus());
            EXPECT_EQ(sys::addIpv4Address(sliver.host.netlink(), link, ipv4), absl::OkStatus());
            EXPECT_EQ(sys::addIpv4Route(sliver.host.netlink(), Ipv6Address(), link, kGateway), absl::OkStatus());
        }
    }
    // The router knows no way to home addresses, as on the Internet to a private home prefix.
    void hideHomePrefix() { router_->shell("ip -6 route del " + kHomePrefix); }
    uint64_t spoofed() { return node1_->forwarder->counters()->dropped_spoofed_source; }
    uint64_t refused() { return node1_->forwarder->counters()->dropped_not_exposed; }
};

TEST_F(OutboundTest, HostsOutsideSeeTheNode) {
    hideHomePrefix();
    Witness witness(*client_);
    for (const auto& [to, node] :
         {std::pair{kClientIpv6, node1_->careOf()}, std::pair{kClientIpv4, parseAddress("10.51.1.2").value()}}) {
        const UniqueFd fd = makeSocket(sliver1_.host, SOCK_STREAM);
        ASSERT_EQ(connectError(fd.get(), to, kEchoPort), 0) << addressText(to);
        EXPECT_EQ(witness.caller(), node);
        EXPECT_EQ(::send(witness.connection(), "hello", 5, MSG_NOSIGNAL), 5);
        std::string heard(5, '\0');
        EXPECT_EQ(::recv(fd.get(), heard.data(), heard.size(), MSG_WAITALL), 5);
        const UniqueFd datagrams = makeSocket(sliver1_.host, SOCK_DGRAM);
        ASSERT_EQ(connectError(datagrams.get(), to, kEchoPort), 0);
        EXPECT_EQ(::send(datagrams.get(), "word", 4, 0), 4);
        EXPECT_EQ(witness.echoDatagram(), node);
        EXPECT_EQ(::recv(datagrams.get(), heard.data(), heard.size(), 0), 4);
        sliver1_.host.shell("ping -c 1 -W 5 " + addressText(to));
    }
}

// What leaves under the node's address is what somebody may ask about.
TEST_F(OutboundTest, Ipv4FlowsAreRecordedAsTheSlivers) {
    Witness witness(*client_);
    const UniqueFd fd = makeSocket(sliver1_.host, SOCK_STREAM);
    ASSERT_EQ(connectError(fd.get(), kClientIpv4, kEchoPort), 0);
    const auto flows = node1_->forwarder->takeFlows({}, {}, std::chrono::hours(1)).value();
    const auto recorded = std::find_if(flows.begin(), flows.end(),
                                       [](const FlowRecord& flow) { return flow.destination == kClientIpv4; });
    ASSERT_NE(recorded, flows.end());
    EXPECT_EQ(recorded->home_address, sliver1_.home);
    EXPECT_EQ(recorded->source, sliverIpv4(1));
    EXPECT_EQ(recorded->destination_port, kEchoPort);
    EXPECT_EQ(recorded->protocol, IPPROTO_TCP);
}

TEST_F(OutboundTest, FragmentsAndErrorsFindTheSliver) {
    hideHomePrefix();
    for (const Ipv6Address& to : {kClientIpv6, kClientIpv4}) {
        sliver1_.host.shell(pingWithFragments(addressText(to)));
        const UniqueFd fd = makeSocket(sliver1_.host, SOCK_DGRAM);
        ASSERT_EQ(connectError(fd.get(), to, kClosedPort), 0);
        EXPECT_EQ(errorOfDatagram(fd.get(), 8), ECONNREFUSED) << addressText(to);
    }
}

TEST_F(OutboundTest, BulkBothWaysAndCommonProgramsWork) {
    hideHomePrefix();
    const EchoServer server(*client_);
    for (const Ipv6Address& to : {kClientIpv6, kClientIpv4}) {
        const UniqueFd fd = makeSocket(sliver1_.host, SOCK_STREAM);
        ASSERT_EQ(connectError(fd.get(), to, kEchoPort), 0);
        EXPECT_TRUE(echoBulk(fd.get(), 8U << 20));
    }
    // Echoed, it is no answer that HTTP knows, but one that curl takes.
    for (const std::string url : {"http://10.51.12.2:7/", "http://[2001:db8:c::2]:7/"})
        EXPECT_NE(sliver1_.host.shell("curl -sS --http0.9 -m 2 " + url + " || test $? = 28").find("GET / HTTP"),
                  std::string::npos);
}

TEST_F(OutboundTest, AnswersOfSliversKeepTheirHomeAddress) {
    const EchoServer server(sliver1_.host);
    const UniqueFd fd = makeSocket(*client_, SOCK_STREAM);
    ASSERT_EQ(connectError(fd.get(), sliver1_.home, kEchoPort), 0);
    EXPECT_TRUE(echoBulk(fd.get(), 2U << 20));
    client_->shell("ping -6 -c 1 -W 5 " + sliver1_.home.toString());
}

// With both, what a sliver begins leaves under the node's address, and what it answers by the home agent.
TEST_F(OutboundTest, ReverseTunnelIsForAnswersOnly) {
    node1_->sendByHomeAgent();
    node1_->open({home_agent_->careOf(), node1_->careOf(), node2_->careOf()}, home_agent_->careOf());
    Witness witness(*client_);
    const UniqueFd out = makeSocket(sliver1_.host, SOCK_STREAM);
    ASSERT_EQ(connectError(out.get(), kClientIpv6, kEchoPort), 0);
    EXPECT_EQ(witness.caller(), node1_->careOf());
    EXPECT_EQ(home_agent_->forwarder->counters()->decapsulated_packets, 0u);
    const EchoServer server(sliver1_.host);
    EXPECT_EQ(tryEcho(*client_, sliver1_.home), 0);
    EXPECT_GT(home_agent_->forwarder->counters()->decapsulated_packets, 0u);
}

TEST_F(OutboundTest, ForeignIpv4SourcesAreDroppedAndCounted) {
    sliver1_.host.shell("ip address add 10.51.1.77/32 dev eth0; ip address add 100.64.0.2/32 dev eth0");
    for (const std::string source : {"10.51.1.77", "100.64.0.2"}) {
        const uint64_t before = spoofed();
        sliver1_.host.shell("! ping -c 3 -i 0.4 -W 1 -I " + source + " 10.51.12.2");
        EXPECT_GT(spoofed(), before) << source;
    }
}

TEST_F(OutboundTest, NodesAndOtherSliversStayOutOfReach) {
    plugWithIpv4(sliver2_, 2);
    ASSERT_TRUE(node1_->forwarder->guard(kClientIpv4).ok());
    for (const std::string to : {"100.64.0.2", "169.254.169.254", "10.51.12.2"}) {
        const uint64_t before = refused();
        sliver1_.host.shell("! ping -c 3 -i 0.4 -W 1 " + to);
        EXPECT_GT(refused(), before) << to;
    }
    // The node's own addresses refuse at once, whoever listens.
    const EchoServer server(node1_->host);
    const UniqueFd fd = makeSocket(sliver1_.host, SOCK_STREAM);
    EXPECT_NE(connectError(fd.get(), parseAddress("10.51.1.2").value(), kEchoPort), 0);
    // Who routes to a sliver's IPv4 address gets nowhere.
    router_->shell("ip route add 100.64.0.0/16 via 10.51.1.2");
    client_->shell("! ping -c 3 -i 0.4 -W 1 100.64.0.1");
}

TEST_F(OutboundTest, WhatASliverReceivesIsLimited) {
    constexpr size_t kSize = 6U << 20;
    constexpr double kRate = 4U << 20;  // bytes per second
    sliver1_.unplugFrom(*node1_);
    sliver1_.host.shell("ip link del eth0 2>/dev/null || true");
    plugWithIpv4(sliver1_, 1, true);
    ASSERT_EQ(sys::limitSending(node1_->host.netlink(), node1_->host.index(sliver1_.portName()),
                                {.bytes_per_second = 4U << 20, .burst_bytes = 1U << 16, .queue_bytes = 1U << 18}),
              absl::OkStatus());
    const EchoServer server(*client_);
    for (const Ipv6Address& to : {kClientIpv6, kClientIpv4}) {
        const UniqueFd fd = makeSocket(sliver1_.host, SOCK_STREAM);
        ASSERT_EQ(connectError(fd.get(), to, kEchoPort), 0);
        const auto begin = std::chrono::steady_clock::now();
        EXPECT_TRUE(echoBulk(fd.get(), kSize));
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
        EXPECT_LE(kSize / took.count(), kRate * 1.05);
    }
}

TEST_F(OutboundTest, NothingIsLeftWithoutIt) {
    const auto tables = [this] { return node1_->host.shell("nft list tables"); };
    EXPECT_NE(tables().find("homeslice_outbound"), std::string::npos);
    ForwarderConfig closed = node1_->config();
    closed.outbound = false;
    node1_->host.run([&] { EXPECT_EQ(Forwarder::open(closed).status(), absl::OkStatus()); });
    EXPECT_EQ(tables(), "");
    node1_->open({node1_->careOf()}, home_agent_->careOf());
    EXPECT_NE(tables().find("homeslice_outbound"), std::string::npos);
    node1_->host.run([&] { EXPECT_EQ(removeForwarder(node1_->config()), absl::OkStatus()); });
    EXPECT_EQ(tables().find("homeslice_outbound"), std::string::npos);
    EXPECT_EQ(node2_->host.shell("nft list tables"), "");
}

}  // namespace
}  // namespace homeslice::mobility
