// Attempts on others' addresses, on the node's link layer and on the nodes' own services, against the real data plane
// at the ports of real slivers.
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <sstream>

#include "noded/mobility/programs.h"
#include "noded/mobility/test_network.h"
#include "noded/mobility/test_packet.h"
#include "tests/escape/escape_fixture.h"
#include "tests/support/command.h"

namespace homeslice::escape {
namespace {

using mobility::Bytes;
using mobility::ipv6;
using mobility::operator+;
using Control = Attempt::Control;

constexpr uint16_t kPort = 9000;
constexpr uint16_t kApiPort = 7401;
const std::string kNode = "fd00:51ce::1";
const std::string kPeer = "fd00:51ce::2";
const std::string kController = "fd00:51ce::c0c0";
const std::string kClient = "fd00:51ce::cccc";
const std::string kNodesIpv4 = "192.0.2.1";

std::string hex(const Bytes& bytes) {
    std::string text;
    char digits[3];
    for (const uint8_t byte : bytes) {
        std::snprintf(digits, sizeof digits, "%02x", byte);
        text += digits;
    }
    return text;
}

// RFC 8200, 8.1: over the pseudo-header and the payload, whose own checksum field is zero. `packet` has no extensions.
uint16_t checksumOf(const Bytes& packet) {
    constexpr size_t kHeader = 40;
    uint32_t sum = static_cast<uint32_t>(packet.size() - kHeader) + packet[6];
    for (size_t i = 8; i < packet.size(); i += 2) {
        sum += static_cast<uint32_t>(packet[i] << 8) + (i + 1 < packet.size() ? packet[i + 1] : 0U);
    }
    while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<uint16_t>(~sum);
}

Bytes withChecksum(Bytes packet, size_t offset) {
    const Bytes sum = mobility::big16(checksumOf(packet));
    std::copy(sum.begin(), sum.end(), packet.begin() + static_cast<ptrdiff_t>(40 + offset));
    return packet;
}

Bytes udpPacket(const Ipv6Address& from, const Ipv6Address& to) {
    return withChecksum(ipv6(from, to, IPPROTO_UDP, mobility::udp(kPort, kPort)), 6);
}

// RFC 4861, 4.3 and 4.4: a solicitation or advertisement of `target` with the sender's link-layer address.
Bytes discovery(uint8_t type, const Ipv6Address& from, const Ipv6Address& to, const Ipv6Address& target,
                const sys::MacAddress& mac) {
    constexpr uint8_t kOverride = 0x20;
    const uint8_t option = type == 135 ? 1 : 2;
    const Bytes body = Bytes{type, 0, 0, 0, type == 135 ? uint8_t{0} : kOverride, 0, 0, 0} +
                       Bytes(target.bytes().begin(), target.bytes().end()) + Bytes{option, 1} +
                       Bytes(mac.begin(), mac.end());
    return withChecksum(ipv6(from, to, IPPROTO_ICMPV6, body, {.hop_limit = 255}), 2);
}

// Everything that is not a sliver: another node, the controller and a client, in a network namespace of their own.
class NetworkEscape : public RefusedTest {
protected:
    static void SetUpTestSuite() {
        if (::geteuid() != 0 || node_ != nullptr) return;
        bpffs_ = std::make_unique<mobility::TestBpfFs>();
        atEnd([] { bpffs_.reset(); });
        EscapeTest::SetUpTestSuite();
        if (node_ == nullptr) return;
        atEnd([] {
            listeners_.clear();
            forwarder_.reset();
            outside_.reset();
        });
        buildUnderlay();
        openDataPlane();
    }
    static void run(const std::string& command) { ASSERT_EQ(std::system(command.c_str()), 0) << command; }

    static void buildUnderlay() {
        outside_ = std::make_unique<mobility::TestHost>();
        const std::string here = std::to_string(::getpid());
        outside_->run([&] { run("ip link add eth0 type veth peer name up0 netns " + here); });
        run("ip link set lo up && ip link set up0 up && ip addr add " + kNodesIpv4 + "/24 dev up0 && ip addr add " +
            kNode + "/64 dev up0 nodad");
        outside_->run([] {
            run("ip link set eth0 up");
            for (const std::string& address : {kPeer, kController, kClient}) {
                run("ip addr add " + address + "/64 dev eth0 nodad");
            }
            run("ip -6 route add fd51:1ce::/48 via " + kNode);
        });
        listeners_.push_back(listen());
        outside_->run([] { listeners_.push_back(listen()); });
    }

    static UniqueFd listen() {
        UniqueFd fd(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in6 any{};
        any.sin6_family = AF_INET6;
        any.sin6_port = htons(kApiPort);
        EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any), 0);
        EXPECT_EQ(::listen(fd.get(), 16), 0);
        return fd;
    }

    static void openDataPlane() {
        auto opened = mobility::Forwarder::open(
            {.uplink = "up0", .care_of_address = mobility::address(kNode), .pin_directory = bpffs_->directory("node")});
        ASSERT_TRUE(opened.ok()) << opened.status();
        forwarder_ = std::move(*opened);
        ASSERT_EQ(forwarder_->setHomePrefix(mobility::prefix("fd51:1ce::/48"), mobility::address(kPeer)),
                  absl::OkStatus());
        ASSERT_EQ(forwarder_->setTrustedPeers({mobility::address(kNode), mobility::address(kPeer)}), absl::OkStatus());
        ASSERT_EQ(forwarder_->guard(mobility::address(kController)), absl::OkStatus());
        for (const SliverSpec& spec : {attacker_, neighbour_}) {
            ASSERT_EQ(forwarder_->addPort(portOf(spec)), absl::OkStatus());
        }
    }

    static mobility::SliverPort portOf(const SliverSpec& spec) {
        mobility::SliverPort port{
            .link_name = "", .home_address = spec.home_address, .slice_address = spec.slice_address, .exposed = {}};
        for (const auto& each : nlohmann::json::parse(node_->manager().inspect())) {
            if (each.at("sliver") != spec.id.toString()) continue;
            const auto& runtime = each.at("record").at("runtime");
            port.link_name = runtime.at("link_name");
            port.host_mac = runtime.at("host_mac").get<sys::MacAddress>();
            port.sliver_mac = runtime.at("sliver_mac").get<sys::MacAddress>();
        }
        return port;
    }

    // A frame on the attacker's link, as its kernel would send it.
    static std::string frame(const Bytes& packet, unsigned type = 0x86dd) {
        const mobility::SliverPort port = portOf(attacker_);
        return hex(mobility::ethernet(port.host_mac, port.sliver_mac, type) + packet);
    }

    static std::string said(const std::vector<std::string>& argv) { return testing_support::runCommand(argv).out; }
    static size_t neighbourEntries() {
        return testing_support::linesOf(said({"ip", "-6", "neigh", "show", "dev", portOf(attacker_).link_name})).size();
    }

    // For controls: the attacker's port as it would be without the programs.
    template <typename Work>
    static void unprotected(Work work) {
        const unsigned link = ::if_nametoindex(portOf(attacker_).link_name.c_str());
        ASSERT_EQ(mobility::detachPrograms(static_cast<int>(link)), absl::OkStatus());
        work();
        ASSERT_EQ(forwarder_->addPort(portOf(attacker_)), absl::OkStatus());
    }

    // Whether the neighbour gets what the attacker sends.
    static bool neighbourReceives(const std::string& sent) {
        init::ExecRequest request;
        request.argv = {kAttackerInside, "receive_udp", std::to_string(kPort)};
        int ends[2] = {-1, -1};
        if (::pipe2(ends, O_CLOEXEC) != 0) return false;
        const UniqueFd reader(ends[0]);
        request.stdout_fd = UniqueFd(ends[1]);
        const auto receiver = node_->manager().exec(neighbour_.id, std::move(request));
        pollfd ready{reader.get(), POLLIN, 0};
        EXPECT_EQ(::poll(&ready, 1, 10000), 1);
        EXPECT_EQ(inside({"send_frames", sent}).status, 0);
        return receiver.ok() && (*receiver)->wait().value_or(-1) == 0;
    }

    // The same for the client, who is out of the home prefix.
    static bool clientReceives(const std::string& sent) {
        UniqueFd fd;
        outside_->run([&] {
            fd.reset(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
            sockaddr_in6 here{};
            here.sin6_family = AF_INET6;
            here.sin6_port = htons(kPort);
            ASSERT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&here), sizeof here), 0);
        });
        EXPECT_EQ(inside({"send_frames", sent}).status, 0);
        pollfd waited{fd.get(), POLLIN, 0};
        return ::poll(&waited, 1, 500) > 0;
    }

    static uint64_t spoofed() { return forwarder_->counters()->dropped_spoofed_source; }

    static std::unique_ptr<mobility::TestBpfFs> bpffs_;
    static std::unique_ptr<mobility::TestHost> outside_;
    static std::unique_ptr<mobility::Forwarder> forwarder_;
    static std::vector<UniqueFd> listeners_;
};

std::unique_ptr<mobility::TestBpfFs> NetworkEscape::bpffs_;
std::unique_ptr<mobility::TestHost> NetworkEscape::outside_;
std::unique_ptr<mobility::Forwarder> NetworkEscape::forwarder_;
std::vector<UniqueFd> NetworkEscape::listeners_;

TEST_P(NetworkEscape, IsRefused) { expectRefused(GetParam()); }

Attempt connectTo(const std::string& name, const std::string& address) {
    return {.name = name,
            .arguments = {"connect", address, std::to_string(kApiPort)},
            .refused = ETIMEDOUT,
            .control = Control::inside,
            .control_arguments = {"connect", kClient, std::to_string(kApiPort)}};
}

INSTANTIATE_TEST_SUITE_P(Reach, NetworkEscape,
                         testing::Values(connectTo("api_of_this_node", kNode), connectTo("api_of_another_node", kPeer),
                                         connectTo("api_of_the_controller", kController)),
                         nameOf);

INSTANTIATE_TEST_SUITE_P(
    Sockets, NetworkEscape,
    testing::Values(
        Attempt{
            "packet_socket_as_user", {"as_user", "1000", "packet_socket"}, EPERM, Control::inside, {"packet_socket"}},
        Attempt{"raw_socket_as_user", {"as_user", "1000", "raw_socket"}, EPERM, Control::inside, {"raw_socket"}},
        Attempt{"bind_to_anothers_address",
                {"bind", "fd51:1ce:0:1::1:2"},
                EADDRNOTAVAIL,
                Control::inside,
                {"bind", "fd51:1ce:0:1::1:1"}}),
    nameOf);

TEST_F(NetworkEscape, ForgedSourceToASliver) {
    const Ipv6Address third = attacker_.home_address.withInterfaceId(0x10003);
    const uint64_t before = spoofed();
    EXPECT_FALSE(neighbourReceives(frame(udpPacket(third, neighbour_.home_address))));
    EXPECT_EQ(spoofed(), before + 1);
    EXPECT_TRUE(neighbourReceives(frame(udpPacket(attacker_.home_address, neighbour_.home_address)))) << "control";
}

TEST_F(NetworkEscape, ForgedSourceToTheOutside) {
    EXPECT_FALSE(clientReceives(frame(udpPacket(neighbour_.home_address, mobility::address(kClient)))));
    EXPECT_FALSE(clientReceives(frame(udpPacket(mobility::address("2001:db8::1"), mobility::address(kClient)))));
    EXPECT_TRUE(clientReceives(frame(udpPacket(attacker_.home_address, mobility::address(kClient))))) << "control";
}

TEST_F(NetworkEscape, ForgedLinkLayerAddress) {
    const Bytes packet = udpPacket(attacker_.home_address, neighbour_.home_address);
    const mobility::SliverPort own = portOf(attacker_);
    EXPECT_FALSE(neighbourReceives(hex(mobility::ethernet(own.host_mac, portOf(neighbour_).sliver_mac) + packet)));
    EXPECT_TRUE(neighbourReceives(hex(mobility::ethernet(own.host_mac, own.sliver_mac) + packet))) << "control";
}

TEST_F(NetworkEscape, ForgedTunnel) {
    const Bytes inner = udpPacket(attacker_.home_address, neighbour_.home_address);
    const Bytes tunnel = ipv6(attacker_.home_address, mobility::address(kNode), IPPROTO_IPV6, inner);
    EXPECT_FALSE(neighbourReceives(frame(tunnel)));
    EXPECT_TRUE(neighbourReceives(frame(inner))) << "control";
}

TEST_F(NetworkEscape, AddressResolutionOverIpv4) {
    const mobility::SliverPort port = portOf(attacker_);
    const sys::MacAddress everyone{0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    const Bytes request = Bytes{0, 1, 8, 0, 6, 4, 0, 1} + Bytes(port.sliver_mac.begin(), port.sliver_mac.end()) +
                          Bytes{192, 0, 2, 66} + Bytes(6, 0) + Bytes{192, 0, 2, 1};
    const std::string question = hex(mobility::ethernet(everyone, port.sliver_mac, 0x0806) + request);
    EXPECT_EQ(inside({"ask_arp", question}).status, ETIMEDOUT);
    unprotected([&] { EXPECT_EQ(inside({"ask_arp", question}).status, 0) << "control"; });
}

// The node's table of neighbours is one for all links, and small.
TEST_F(NetworkEscape, FloodOfInventedNeighbours) {
    constexpr uint64_t kFlood = 200;
    const Ipv6Address gateway = mobility::address("fe80::1");
    Arguments flood = {"send_frames"};
    for (uint64_t i = 1; i <= kFlood; ++i) {
        flood.push_back(frame(
            discovery(135, gateway.withInterfaceId(0x660000 + i), gateway, gateway, portOf(attacker_).sliver_mac)));
    }
    const size_t before = neighbourEntries();
    ASSERT_EQ(inside(flood).status, 0);
    EXPECT_LE(neighbourEntries(), before);
    unprotected([&] {
        ASSERT_EQ(inside(flood).status, 0);
        EXPECT_GE(neighbourEntries(), before + kFlood) << "control";
    });
}

TEST_F(NetworkEscape, ClaimToTheNeighboursAddress) {
    const mobility::SliverPort port = portOf(attacker_);
    const Ipv6Address gateway = mobility::address("fe80::1");
    for (const Ipv6Address& from : {neighbour_.home_address, attacker_.home_address}) {
        const Bytes claim = discovery(136, from, gateway, neighbour_.home_address, port.sliver_mac);
        ASSERT_EQ(inside({"send_frames", frame(claim)}).status, 0);
    }
    EXPECT_THAT(said({"ip", "-6", "neigh", "show", neighbour_.home_address.toString()}),
                testing::HasSubstr("PERMANENT"));
    EXPECT_TRUE(neighbourReceives(frame(udpPacket(attacker_.home_address, neighbour_.home_address))));
}

TEST_F(NetworkEscape, RouterAdvertisementToTheNode) {
    const std::string before = said({"ip", "-6", "route", "show", "default"});
    const Bytes body = Bytes{134, 0, 0, 0, 64, 0, 0xff, 0xff} + Bytes(8, 0);
    const Bytes packet = withChecksum(
        ipv6(mobility::address("fe80::66"), mobility::address("ff02::1"), IPPROTO_ICMPV6, body, {.hop_limit = 255}), 2);
    ASSERT_EQ(inside({"send_frames", frame(packet)}).status, 0);
    EXPECT_EQ(said({"ip", "-6", "route", "show", "default"}), before);
}

}  // namespace
}  // namespace homeslice::escape
