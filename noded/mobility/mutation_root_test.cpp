// The programs on packets that nobody sends: sound ones, mutated at random from a seed that is printed. Whatever comes,
// each program ends with a verdict, and nothing forged gets further than its kind may.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <random>

#include "noded/mobility/programs_fixture.h"
#include "noded/mobility/test_ipv4_packet.h"

namespace homeslice::mobility {
namespace {

constexpr unsigned kPackets = 4000;  // for each program
constexpr size_t kEthernet = 14;
constexpr size_t kLeast = kEthernet + 40;  // PROG_TEST_RUN takes nothing shorter

class MutationTest : public ProgramsTest {
protected:
    // HOMESLICE_FUZZ_SEED repeats a run.
    static uint32_t seed() {
        const char* const given = std::getenv("HOMESLICE_FUZZ_SEED");
        return given != nullptr ? static_cast<uint32_t>(std::strtoul(given, nullptr, 10)) : std::random_device()();
    }
    size_t below(size_t bound) { return std::uniform_int_distribution<size_t>(0, bound - 1)(random_); }

    virtual std::vector<Bytes> soundPackets() const {
        const Bytes segment = tcp(1000, 80, kSyn);
        const Bytes quoted = ipv6(kSlice, kClient, IPPROTO_TCP, tcp(80, 1000, kAck));
        const Bytes inner = ipv6(kClient, kLocal, IPPROTO_TCP, segment);
        return {ipv6(kClient, kRemote, IPPROTO_TCP, segment),
                ipv6(kClient, kSlice, IPPROTO_UDP, udp(5, 53, 200)),
                ipv6(kLocal, kRemote, IPPROTO_UDP, udp(5, 53)),
                ipv6(kLocal, kSlice, IPPROTO_ICMPV6, icmpv6(128)),
                ipv6(kClient, kSlice, IPPROTO_ICMPV6, icmpv6(2, quoted)),
                ipv6(kClient, kSlice, 44, Bytes{17, 0, 0, 1, 0, 0, 0, 9} + udp(5, 6, 64)),
                ipv6(kClient, kRemote, 60, Bytes{6, 0, 1, 4, 0, 0, 0, 0} + segment),
                tunnel(kHomeAgent, inner),
                tunnel(kPeer, tunnel(kPeer, inner)),
                ipv6(kHomeAgent, kSelf, 60, Bytes{IPPROTO_IPV6, 0, 4, 1, 4, 1, 1, 0} + inner),
                ipv6(kPeer, kSelf, IPPROTO_ICMPV6, Bytes{2, 0, 0, 0, 0, 0, 5, 120} + tunnel(kSelf, inner, {}, kPeer))};
    }
    Bytes mutated(Bytes packet) {
        for (size_t changes = below(6); changes > 0; --changes) {
            const size_t at = kEthernet + below(packet.size() - kEthernet);
            switch (below(5)) {
                case 0:
                    packet[at] = static_cast<uint8_t>(below(256));
                    break;
                case 1:
                    packet[at] ^= static_cast<uint8_t>(1U << below(8));
                    break;
                case 2:
                    packet.resize(std::max(kLeast, at));
                    break;
                case 3:
                    packet.insert(packet.end(), below(64), 0xff);
                    break;
                default:  // what parsers branch on
                    packet[at] = std::array<uint8_t, 8>{0, 6, 17, 41, 43, 44, 58, 60}[below(8)];
            }
        }
        return packet;
    }
    void tryAll(const std::string& program, const std::string& link, const Bytes& header) {
        const std::vector<Bytes> sound = soundPackets();
        for (unsigned i = 0; i < kPackets && !HasFailure(); ++i) {
            const Bytes packet = mutated(header + sound[below(sound.size())]);
            const auto result = run(program, link, packet);
            const bool verdict =
                result.action == TC_ACT_OK || result.action == TC_ACT_SHOT || result.action == TC_ACT_REDIRECT;
            EXPECT_TRUE(verdict) << program << " says " << result.action;
            if (result.action == TC_ACT_OK) {
                EXPECT_LE(result.packet.size(), packet.size()) << program;
            }
            if (result.mark != 0 && result.mark != HS_OUTBOUND_MARK) {
                EXPECT_EQ(result.mark & HS_KERNEL_MARK_MASK, HS_KERNEL_MARK) << program;
            }
        }
    }

    const uint32_t seed_ = seed();
    std::mt19937 random_{seed_};
};

TEST_F(MutationTest, HomeAgentEndsWithAVerdict) {
    SCOPED_TRACE("HOMESLICE_FUZZ_SEED=" + std::to_string(seed_));
    open(true);
    ASSERT_TRUE(forwarder_->setCareOf(kRemote, careOf({kPeer})).ok());
    ASSERT_TRUE(forwarder_->setCareOf(kSlice, careOf({kPeer, kPeer3}, Balance::least_load)).ok());
    tryAll("uplink_ingress", "up0", ethernet(kUplinkMac, kRouterMac));
    tryAll("uplink_egress", "up0", ethernet(kRouterMac, kUplinkMac));
}

TEST_F(MutationTest, NodeEndsWithAVerdict) {
    SCOPED_TRACE("HOMESLICE_FUZZ_SEED=" + std::to_string(seed_));
    open(false);
    ASSERT_TRUE(forwarder_->setCareOf(kRemote, careOf({kPeer})).ok());
    tryAll("uplink_ingress", "up0", ethernet(kUplinkMac, kRouterMac));
    tryAll("port_ingress", "port1", ethernet(kHostMac, kSliverMac));
    tryAll("port_egress", "port1", ethernet(kSliverMac, kHostMac));
}

class Ipv4MutationTest : public MutationTest {
protected:
    Ipv4MutationTest() {
        self_ = ipv4Address("192.0.2.1");
        peers_ = {ipv4Address("192.0.2.2"), ipv4Address("192.0.2.3")};
        outbound_ = true;
    }
    std::vector<Bytes> soundPackets() const override {
        const Bytes inner = ipv6(kClient, kLocal, IPPROTO_TCP, tcp(1000, 80, kSyn));
        const Bytes onward = ipv6(kLocal, kRemote, IPPROTO_UDP, udp(5, 53));
        const Bytes sent = ipv4(self_, peers_[0], inner);
        const Bytes narrow = Bytes{3, 4, 0, 0, 0, 0, 5, 120} + Bytes(sent.begin(), sent.begin() + 28);
        return {ipv4(peers_[0], self_, inner), ipv4(peers_[1], self_, onward), ipv4(peers_[0], self_, sent),
                ipv4(away_, self_, narrow, {.protocol = IPPROTO_ICMP}),
                ipv4(ipv4Address("100.64.0.1"), away_, udp(5, 53), {.protocol = IPPROTO_UDP})};
    }

    const Ipv6Address away_ = ipv4Address("198.51.100.1");
};

TEST_F(Ipv4MutationTest, HomeAgentEndsWithAVerdict) {
    SCOPED_TRACE("HOMESLICE_FUZZ_SEED=" + std::to_string(seed_));
    open(true);
    ASSERT_TRUE(forwarder_->setCareOf(kRemote, careOf({peers_[0]})).ok());
    tryAll("uplink_ingress", "up0", ethernet(kUplinkMac, kRouterMac, kIpv4Type));
}

TEST_F(Ipv4MutationTest, NodeEndsWithAVerdict) {
    SCOPED_TRACE("HOMESLICE_FUZZ_SEED=" + std::to_string(seed_));
    open(false);
    SliverPort port = port1();
    port.ipv4_address = ipv4Address("100.64.0.1");
    host_->run([&] { ASSERT_EQ(forwarder_->addPort(port), absl::OkStatus()); });
    tryAll("uplink_ingress", "up0", ethernet(kUplinkMac, kRouterMac, kIpv4Type));
    tryAll("port_ingress", "port1", ethernet(kHostMac, kSliverMac, kIpv4Type));
    tryAll("port_egress", "port1", ethernet(kSliverMac, kHostMac, kIpv4Type));
}

}  // namespace
}  // namespace homeslice::mobility
