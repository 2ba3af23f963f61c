// A client, a home agent and two nodes with slivers around a router, each in a network namespace, and real sockets.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <string>
#include <thread>

#include "noded/mobility/forwarder.h"
#include "noded/mobility/home_agent.h"
#include "noded/mobility/test_care_of.h"
#include "noded/mobility/test_network.h"
#include "tests/support/privileges.h"

namespace homeslice::mobility {

inline constexpr uint16_t kEchoPort = 7;
inline constexpr uint16_t kClosedPort = 9;
inline const std::string kHomePrefix = "fd51:1ce::/48";
inline const Ipv6Address kGateway = address("fe80::1");
inline const Ipv6Address kSlice = address("fd51:1ce:0:1::1");

inline sockaddr_in6 socketAddress(const Ipv6Address& to, uint16_t port) {
    sockaddr_in6 result{};
    result.sin6_family = AF_INET6;
    result.sin6_port = htons(port);
    result.sin6_addr = to.toIn6();
    return result;
}

inline const sockaddr* generic(const sockaddr_in6& socket_address) {
    return reinterpret_cast<const sockaddr*>(&socket_address);
}

inline void setOption(int fd, int level, int option, int value) {
    EXPECT_EQ(::setsockopt(fd, level, option, &value, sizeof(value)), 0) << errno;
}

inline UniqueFd makeSocket(const TestHost& host, int type) {
    UniqueFd fd;
    host.run([&] { fd.reset(::socket(AF_INET6, type | SOCK_CLOEXEC, 0)); });
    timeval limit{.tv_sec = 10, .tv_usec = 0};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    return fd;
}

// 0 or the errno of connect(2).
inline int connectError(int fd, const Ipv6Address& to, uint16_t port) {
    const sockaddr_in6 destination = socketAddress(to, port);
    return ::connect(fd, generic(destination), sizeof(destination)) == 0 ? 0 : errno;
}

// Echoes TCP connections, one after the other, until it is destroyed.
class EchoServer {
public:
    explicit EchoServer(const TestHost& host) : listener_(makeSocket(host, SOCK_STREAM)) {
        const sockaddr_in6 here = socketAddress(Ipv6Address(), kEchoPort);
        setOption(listener_.get(), SOL_SOCKET, SO_REUSEADDR, 1);
        EXPECT_EQ(::bind(listener_.get(), generic(here), sizeof(here)), 0) << errno;
        EXPECT_EQ(::listen(listener_.get(), 8), 0) << errno;
        timeval forever{};
        ::setsockopt(listener_.get(), SOL_SOCKET, SO_RCVTIMEO, &forever, sizeof(forever));
        thread_ = std::thread([this] { serve(); });
    }
    ~EchoServer() {
        ::shutdown(listener_.get(), SHUT_RDWR);
        thread_.join();
    }
    EchoServer(const EchoServer&) = delete;
    EchoServer& operator=(const EchoServer&) = delete;

private:
    void serve() const {
        std::string buffer(1 << 16, '\0');
        for (;;) {
            const UniqueFd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
            if (!connection) return;
            for (ssize_t got; (got = ::recv(connection.get(), buffer.data(), buffer.size(), 0)) > 0;)
                if (::send(connection.get(), buffer.data(), static_cast<size_t>(got), MSG_NOSIGNAL) != got) break;
        }
    }

    UniqueFd listener_;
    std::thread thread_;
};

inline std::string echo(int fd, const std::string& text) {
    std::string answer(text.size(), '\0');
    if (::send(fd, text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size())) return "send failed";
    if (::recv(fd, answer.data(), answer.size(), MSG_WAITALL) != static_cast<ssize_t>(text.size())) return "no answer";
    return answer;
}

// `size` bytes there and back while both directions are busy; true when they came back as they went.
inline bool echoBulk(int fd, size_t size) {
    std::string sent(size, '\0');
    for (size_t i = 0; i < size; ++i) sent[i] = static_cast<char>((i * 2654435761U) >> 13);
    std::string received(size, '\0');
    std::thread sender([&] {
        for (size_t done = 0; done < size;) {
            const ssize_t n = ::send(fd, sent.data() + done, size - done, MSG_NOSIGNAL);
            if (n <= 0) return;
            done += static_cast<size_t>(n);
        }
    });
    const bool whole = ::recv(fd, received.data(), size, MSG_WAITALL) == static_cast<ssize_t>(size);
    sender.join();
    return whole && received == sent;
}

// The errno that an ICMPv6 error makes of the datagram. Datagrams and errors may be lost (a link that has just come up
// does lose some), so it is sent again until then.
inline int errorOfDatagram(int fd, size_t size) {
    setOption(fd, IPPROTO_IPV6, IPV6_RECVERR, 1);
    while (::recv(fd, nullptr, 0, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0) continue;  // of earlier ones
    const std::string datagram(size, 'x');
    for (int attempt = 0; attempt < 100; ++attempt) {
        if (::send(fd, datagram.data(), datagram.size(), 0) < 0) return errno;
        pollfd waiting{.fd = fd, .events = 0, .revents = 0};
        if (::poll(&waiting, 1, 100) != 1) continue;
        int error = 0;
        socklen_t length = sizeof(error);
        ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
        return error;
    }
    return ETIMEDOUT;
}

class Node {
public:
    Node(TestBpfFs& bpffs, const std::string& name, const Ipv6Address& care_of, bool home_agent)
        : config_{.uplink = "eth0",
                  .care_of_address = care_of,
                  .pin_directory = bpffs.directory(name),
                  .home_agent = home_agent} {}

    void sendByHomeAgent() { config_.reverse_tunnel = true; }
    void letOut() { config_.outbound = true; }

    void open(const std::vector<Ipv6Address>& peers, const Ipv6Address& home_agent) {
        host.run([&] {
            auto opened = Forwarder::open(config_);
            ASSERT_TRUE(opened.ok()) << opened.status();
            forwarder = std::move(*opened);
            EXPECT_EQ(forwarder->setHomePrefix(prefix(kHomePrefix), home_agent), absl::OkStatus());
            EXPECT_EQ(forwarder->setTrustedPeers(peers), absl::OkStatus());
        });
    }
    const ForwarderConfig& config() const { return config_; }
    const Ipv6Address& careOf() const { return config_.care_of_address; }

    TestHost host;
    std::unique_ptr<Forwarder> forwarder;

private:
    ForwarderConfig config_;
};

// A sliver's network namespace, plugged into one node at a time.
class Sliver {
public:
    explicit Sliver(const Ipv6Address& home_address) : home(home_address) {}

    void plugInto(Node& node, bool queued = false) {
        const uint32_t mtu = node.forwarder->sliverMtu();
        node.host.connect(port_.link_name, port_.host_mac, host, "eth0", port_.sliver_mac, mtu);
        host.addAddress("eth0", home.toString(), 128);
        host.addAddress("eth0", kSlice.toString(), 128, true);
        const int link = host.index("eth0");
        EXPECT_EQ(host.netlink().addNeighbour(link, kGateway, port_.host_mac), absl::OkStatus());
        EXPECT_EQ(host.netlink().addRoute(Ipv6Prefix(), link, kGateway), absl::OkStatus());
        port_.home_address = home;
        port_.slice_address = kSlice;
        port_.exposed = {{.protocol = IPPROTO_TCP, .port = kEchoPort}};
        port_.queued = queued;
        node.host.run([&] { EXPECT_EQ(node.forwarder->addPort(port_), absl::OkStatus()); });
    }
    void unplugFrom(Node& node) {
        node.host.run([&] { EXPECT_EQ(node.forwarder->removePort(port_), absl::OkStatus()); });
        EXPECT_EQ(node.host.netlink().deleteLink(port_.link_name), absl::OkStatus());
    }

    const std::string& portName() const { return port_.link_name; }
    const sys::MacAddress& mac() const { return port_.sliver_mac; }
    // From the next plugInto() on.
    void giveIpv4(const Ipv6Address& ipv4) { port_.ipv4_address = ipv4; }

    TestHost host;
    const Ipv6Address home;

private:
    SliverPort port_{.link_name = "hs" + std::to_string(home.interfaceId()),
                     .host_mac = sys::randomMac(),
                     .sliver_mac = sys::randomMac(),
                     .home_address = {},
                     .slice_address = {},
                     .binding_id = static_cast<uint16_t>(home.interfaceId()),
                     .exposed = {}};
};

class ForwarderTest : public ::testing::Test {
protected:
    void SetUp() override {
        HS_REQUIRE_ROOT();
        bpffs_ = std::make_unique<TestBpfFs>();
        router_ = std::make_unique<TestHost>();
        client_ = std::make_unique<TestHost>();
        home_agent_ = std::make_unique<Node>(*bpffs_, "ha", underlay("a"), true);
        node1_ = std::make_unique<Node>(*bpffs_, "node1", underlay("1"), false);
        node2_ = std::make_unique<Node>(*bpffs_, "node2", underlay("2"), false);
        router_->makeRouter();
        plug(*client_, "to-client", "2001:db8:c::");
        plug(home_agent_->host, "to-ha", "fd00:51ce:a::");
        plugFirstNode();
        plugSecondNode();
        router_->addRoute(kHomePrefix, "to-ha", "fd00:51ce:a::2");
        prepare();
        const std::vector<Ipv6Address> peers{home_agent_->careOf(), node1_->careOf(), node2_->careOf()};
        home_agent_->open(peers, Ipv6Address());
        node1_->open(peers, home_agent_->careOf());
        node2_->open(peers, home_agent_->careOf());
        bindings_ = HomeAgent::create({}, *home_agent_->forwarder);
        bindings_->setHomePrefix(prefix(kHomePrefix));
    }
    // Care-of address of the home agent ("a") or of a node ("1", "2").
    virtual Ipv6Address underlay(const std::string& number) { return address("fd00:51ce:" + number + "::2"); }
    virtual void plugFirstNode() { plug(node1_->host, "to-node1", "fd00:51ce:1::"); }
    virtual void plugSecondNode() { plug(node2_->host, "to-node2", "fd00:51ce:2::"); }
    // When all are plugged in, before the nodes open their data planes.
    virtual void prepare() {}
    void plug(TestHost& host, const std::string& name, const std::string& subnet) {
        router_->connect(name, sys::randomMac(), host, "eth0", sys::randomMac(), 1500);
        router_->addAddress(name, subnet + "1", 64);
        host.addAddress("eth0", subnet + "2", 64);
        host.addRoute("::/0", "eth0", subnet + "1");
    }
    void bind(const Ipv6Address& home, const Node& node, uint64_t generation, uint16_t binding_id = 0) {
        const BindingUpdate update{.key = {.home_address = home, .binding_id = binding_id},
                                   .care_of_address = node.careOf(),
                                   .sequence = 1,
                                   .generation = generation,
                                   .lifetime_s = 60};
        EXPECT_EQ(bindings_->update(node.careOf(), update).status, BindingStatus::accepted);
    }
    uint64_t encapsulatedByHomeAgent() { return home_agent_->forwarder->counters()->encapsulated_packets; }
    // Connects, says a word and hears it; else the errno.
    int tryEcho(const TestHost& from, const Ipv6Address& to) {
        const UniqueFd fd = makeSocket(from, SOCK_STREAM);
        if (const int error = connectError(fd.get(), to, kEchoPort); error != 0) return error;
        return echo(fd.get(), "word") == "word" ? 0 : EIO;
    }

    std::unique_ptr<TestBpfFs> bpffs_;
    std::unique_ptr<TestHost> router_;
    std::unique_ptr<TestHost> client_;
    std::unique_ptr<Node> home_agent_;
    std::unique_ptr<Node> node1_;
    std::unique_ptr<Node> node2_;
    std::unique_ptr<HomeAgent> bindings_;
    Sliver sliver1_{address("fd51:1ce:0:1::1:1")};
    Sliver sliver2_{address("fd51:1ce:0:1::1:2")};
};

}  // namespace homeslice::mobility
