// Two home agents that are both in charge, behind a router that learns the home prefix from both by BGP (FRR) and
// spreads flows over them. Both choose the same sliver for a flow, so one of them may go.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <thread>

#include "base/file.h"
#include "noded/mobility/forwarder.h"
#include "noded/mobility/frr.h"
#include "noded/mobility/home_agent.h"
#include "noded/mobility/home_agent_duty.h"
#include "noded/mobility/test_network.h"
#include "tests/support/privileges.h"

namespace homeslice::mobility {
namespace {

constexpr uint16_t kPort = 7;
constexpr uint16_t kApiPort = 7401;
constexpr size_t kFlows = 40;
const std::string kHomePrefix = "fd51:1ce::/48";
const Ipv6Address kGateway = address("fe80::1");
const Ipv6Address kSlice = address("fd51:1ce:0:1::1");

sockaddr_in6 socketAddress(const Ipv6Address& to) {
    sockaddr_in6 result{};
    result.sin6_family = AF_INET6;
    result.sin6_port = htons(kPort);
    result.sin6_addr = to.toIn6();
    return result;
}

UniqueFd makeSocket(const TestHost& host) {
    UniqueFd fd;
    host.run([&] { fd.reset(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)); });
    const timeval limit{.tv_sec = 10, .tv_usec = 0};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    return fd;
}

// Answers each byte on each connection by its own letter.
class LetterServer {
public:
    LetterServer(const TestHost& host, char letter) : letter_(letter), listener_(makeSocket(host)) {
        const sockaddr_in6 here = socketAddress(Ipv6Address());
        const timeval forever{};
        ::setsockopt(listener_.get(), SOL_SOCKET, SO_RCVTIMEO, &forever, sizeof forever);
        EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&here), sizeof here), 0);
        EXPECT_EQ(::listen(listener_.get(), 2 * kFlows), 0);
        thread_ = std::thread([this] { serve(); });
    }
    ~LetterServer() {
        stopping_ = true;
        thread_.join();
    }
    LetterServer(const LetterServer&) = delete;
    LetterServer& operator=(const LetterServer&) = delete;

private:
    void serve() {
        std::vector<pollfd> waited{{.fd = listener_.get(), .events = POLLIN, .revents = 0}};
        std::vector<UniqueFd> connections;
        while (!stopping_) {
            if (::poll(waited.data(), waited.size(), 50) <= 0) continue;
            for (size_t i = 1; i < waited.size(); ++i)
                if (waited[i].revents != 0) answer(waited[i]);
            if (waited[0].revents == 0) continue;
            connections.emplace_back(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
            waited.push_back({.fd = connections.back().get(), .events = POLLIN, .revents = 0});
        }
    }
    void answer(pollfd& connection) const {
        char byte = 0;
        if (::recv(connection.fd, &byte, 1, 0) != 1 || ::send(connection.fd, &letter_, 1, MSG_NOSIGNAL) != 1)
            connection.fd = -1;
    }

    const char letter_;
    UniqueFd listener_;
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

// Who answers on this connection; '?' for nobody.
char ask(int fd) {
    char letter = 'x';
    if (::send(fd, &letter, 1, MSG_NOSIGNAL) != 1 || ::recv(fd, &letter, 1, 0) != 1) return '?';
    return letter;
}

struct Machine {
    Machine(TestBpfFs& bpffs, const std::string& name, const std::string& its_subnet, bool is_home_agent)
        : subnet(its_subnet),
          care_of(address(its_subnet + "2")),
          link("to-" + name),
          config{.uplink = "eth0",
                 .care_of_address = care_of,
                 .pin_directory = bpffs.directory(name),
                 .home_agent = is_home_agent} {}

    void open(const std::vector<Ipv6Address>& peers, const Ipv6Address& home_agent) {
        host.run([&] {
            auto opened = Forwarder::open(config);
            ASSERT_TRUE(opened.ok()) << opened.status();
            forwarder = std::move(*opened);
            EXPECT_EQ(forwarder->setHomePrefix(prefix(kHomePrefix), home_agent), absl::OkStatus());
            EXPECT_EQ(forwarder->setTrustedPeers(peers), absl::OkStatus());
        });
    }
    void takeCharge() {
        host.run([&] {
            bindings = HomeAgent::create({}, *forwarder);
            bindings->setHomePrefix(prefix(kHomePrefix));
            auto started = HomeAgentDuty::start(
                {.link = "eth0", .self = care_of, .port = kApiPort, .shared_address = {}, .active_active = true},
                *forwarder, *bindings);
            ASSERT_TRUE(started.ok()) << started.status();
            duty = std::move(*started);
            duty->setMembers(prefix(kHomePrefix), {care_of}, "a key");
        });
    }
    uint64_t encapsulated() const { return forwarder->counters()->encapsulated_packets; }

    const std::string subnet;
    const Ipv6Address care_of;
    const std::string link;  // the router's
    const ForwarderConfig config;
    TestHost host;
    std::unique_ptr<Forwarder> forwarder;
    std::unique_ptr<HomeAgent> bindings;
    std::unique_ptr<HomeAgentDuty> duty;
    std::unique_ptr<FrrRouter> frr;
};

class EcmpTest : public ::testing::Test {
protected:
    void SetUp() override {
        HS_REQUIRE_ROOT();
        bpffs_ = std::make_unique<TestBpfFs>();
        router_.makeRouter();
        // By the whole flow (RFC 2992 has the reasons), not by addresses alone.
        router_.run([] { EXPECT_TRUE(writeControlFile("/proc/sys/net/ipv6/fib_multipath_hash_policy", "1").ok()); });
        plug(client_, "to-client", "2001:db8:c::");
        for (const auto& [name, subnet] : {std::pair{"ha1", "fd00:51ce:a::"}, std::pair{"ha2", "fd00:51ce:b::"}})
            agents_.push_back(std::make_unique<Machine>(*bpffs_, name, subnet, true));
        for (const auto& [name, subnet] : {std::pair{"node1", "fd00:51ce:1::"}, std::pair{"node2", "fd00:51ce:2::"}})
            nodes_.push_back(std::make_unique<Machine>(*bpffs_, name, subnet, false));
        std::vector<Ipv6Address> peers;
        for (auto* machines : {&agents_, &nodes_})
            for (const auto& machine : *machines) {
                plug(machine->host, machine->link, machine->subnet);
                peers.push_back(machine->care_of);
            }
        for (const auto& node : nodes_) node->open(peers, agents_[0]->care_of);
        for (const auto& agent : agents_) {
            agent->open(peers, Ipv6Address());
            agent->takeCharge();
        }
    }
    void plug(TestHost& host, const std::string& link, const std::string& subnet) {
        router_.connect(link, sys::randomMac(), host, "eth0", sys::randomMac(), 1500);
        router_.addAddress(link, subnet + "1", 64);
        host.addAddress("eth0", subnet + "2", 64);
        host.addRoute("::/0", "eth0", subnet + "1");
    }
    void startRouting() {
        FrrRouter::Config config{.as = 65000, .router_id = "10.0.0.9", .neighbours = {}, .neighbours_as = 65001};
        for (size_t i = 0; i < agents_.size(); ++i) {
            config.neighbours.push_back(agents_[i]->care_of.toString());
            agents_[i]->frr = std::make_unique<FrrRouter>(
                agents_[i]->host, FrrRouter::Config{.as = 65001,
                                                    .router_id = "10.0.0." + std::to_string(i + 1),
                                                    .neighbours = {agents_[i]->subnet + "1"},
                                                    .neighbours_as = 65000,
                                                    .announces_kernel_routes = true});
        }
        router_frr_ = std::make_unique<FrrRouter>(router_, config);
    }
    // How many ways the router has to the home prefix.
    int ways() {
        int result = 0;
        router_.run([&] {
            FILE* const routes = ::popen("ip -6 route show fd51:1ce::/48", "r");
            std::string text(4096, '\0');
            text.resize(::fread(text.data(), 1, text.size(), routes));
            ::pclose(routes);
            for (const auto& agent : agents_)
                if (text.find("dev " + agent->link) != std::string::npos) ++result;
        });
        return result;
    }
    // Sliver `number` of the slice on `node`, registered at both home agents.
    void plugSliver(TestHost& sliver, Machine& node, uint16_t number) {
        SliverPort port{.link_name = "hs" + std::to_string(number),
                        .host_mac = sys::randomMac(),
                        .sliver_mac = sys::randomMac(),
                        .home_address = address("fd51:1ce:0:1::1:" + std::to_string(number)),
                        .slice_address = kSlice,
                        .exposed = {{.protocol = IPPROTO_TCP, .port = kPort}}};
        node.host.connect(port.link_name, port.host_mac, sliver, "eth0", port.sliver_mac, node.forwarder->sliverMtu());
        sliver.addAddress("eth0", port.home_address.toString(), 128);
        sliver.addAddress("eth0", kSlice.toString(), 128, true);
        const int link = sliver.index("eth0");
        EXPECT_EQ(sliver.netlink().addNeighbour(link, kGateway, port.host_mac), absl::OkStatus());
        EXPECT_EQ(sliver.netlink().addRoute(Ipv6Prefix(), link, kGateway), absl::OkStatus());
        node.host.run([&] { EXPECT_EQ(node.forwarder->addPort(port), absl::OkStatus()); });
        for (const auto& agent : agents_) {
            const BindingUpdate update{.key = {.home_address = kSlice, .binding_id = number},
                                       .care_of_address = node.care_of,
                                       .sequence = 1,
                                       .generation = 1,
                                       .lifetime_s = 60};
            EXPECT_EQ(agent->bindings->update(node.care_of, update).status, BindingStatus::accepted);
        }
    }

    std::unique_ptr<TestBpfFs> bpffs_;
    TestHost router_;
    TestHost client_;
    std::vector<std::unique_ptr<Machine>> agents_;
    std::vector<std::unique_ptr<Machine>> nodes_;
    std::unique_ptr<FrrRouter> router_frr_;
};

TEST_F(EcmpTest, FlowsGoOnWhenOneOfTwoHomeAgentsDies) {
    TestHost sliver_a;
    TestHost sliver_b;
    plugSliver(sliver_a, *nodes_[0], 1);
    plugSliver(sliver_b, *nodes_[1], 2);
    const LetterServer server_a(sliver_a, 'a');
    const LetterServer server_b(sliver_b, 'b');
    startRouting();
    ASSERT_TRUE(eventually([&] { return ways() == 2; })) << "the router has not learned both ways";

    std::vector<UniqueFd> flows;
    std::string answers;
    const sockaddr_in6 slice = socketAddress(kSlice);
    for (size_t i = 0; i < kFlows; ++i) {
        flows.push_back(makeSocket(client_));
        ASSERT_EQ(::connect(flows[i].get(), reinterpret_cast<const sockaddr*>(&slice), sizeof slice), 0)
            << std::strerror(errno);
        answers += ask(flows[i].get());
    }
    EXPECT_NE(answers.find('a'), std::string::npos) << answers;
    EXPECT_NE(answers.find('b'), std::string::npos) << answers;
    EXPECT_EQ(answers.find('?'), std::string::npos) << answers;
    for (const auto& agent : agents_) EXPECT_GT(agent->encapsulated(), kFlows / 4) << "packets are not spread";

    // The whole machine goes: its router and its link.
    agents_[0]->frr->kill();
    EXPECT_EQ(router_.netlink().deleteLink(agents_[0]->link), absl::OkStatus());
    ASSERT_TRUE(eventually([&] { return ways() == 1; })) << "the router has not noticed";
    std::string later;
    for (const UniqueFd& flow : flows) later += ask(flow.get());
    EXPECT_EQ(later, answers) << "the one that is left chooses otherwise";
}

TEST_F(EcmpTest, AHomeAgentThatEndsWithdrawsItsRoute) {
    startRouting();
    ASSERT_TRUE(eventually([&] { return ways() == 2; })) << "the router has not learned both ways";
    agents_[0]->host.run([&] { agents_[0]->duty.reset(); });
    EXPECT_TRUE(eventually([&] { return ways() == 1; })) << "the router still sends to one that has ended";
}

}  // namespace
}  // namespace homeslice::mobility
