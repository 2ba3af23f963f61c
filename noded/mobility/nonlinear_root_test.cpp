// Packets of which the socket buffer's linear part holds no more than the Ethernet header: the programs find their
// headers in its fragments. A packet socket's ring makes such buffers, as drivers that receive into pages do.
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <cstring>

#include "base/clock.h"
#include "noded/mobility/programs_fixture.h"

namespace homeslice::mobility {
namespace {

class NonlinearTest : public ProgramsTest {
protected:
    // Sends a frame from the router's end of the uplink, out of a ring of one.
    void send(const Bytes& frame) {
        outside_.run([&] {
            constexpr unsigned kRing = 4096;
            const UniqueFd fd(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
            const int version = TPACKET_V2;
            ASSERT_EQ(::setsockopt(fd.get(), SOL_PACKET, PACKET_VERSION, &version, sizeof version), 0);
            const tpacket_req ring{.tp_block_size = kRing, .tp_block_nr = 1, .tp_frame_size = kRing, .tp_frame_nr = 1};
            ASSERT_EQ(::setsockopt(fd.get(), SOL_PACKET, PACKET_TX_RING, &ring, sizeof ring), 0);
            sockaddr_ll here{};
            here.sll_family = AF_PACKET;
            here.sll_protocol = htons(ETH_P_IPV6);
            here.sll_ifindex = outside_.index("router");
            ASSERT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&here), sizeof here), 0);
            void* const memory = ::mmap(nullptr, kRing, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
            ASSERT_NE(memory, MAP_FAILED);
            auto* const header = static_cast<tpacket2_hdr*>(memory);
            std::memcpy(static_cast<char*>(memory) + TPACKET2_HDRLEN - sizeof(sockaddr_ll), frame.data(), frame.size());
            header->tp_len = static_cast<uint32_t>(frame.size());
            header->tp_status = TP_STATUS_SEND_REQUEST;
            EXPECT_GE(::send(fd.get(), nullptr, 0, 0), 0) << errno;
            ::munmap(memory, kRing);
        });
    }
    // Whether a counter gets there before long.
    template <typename Condition>
    bool soon(Condition condition) {
        const auto end = Monotonic::now() + std::chrono::seconds(10);
        while (!condition(counters()) && Monotonic::now() < end) ::poll(nullptr, 0, 1);
        return condition(counters());
    }
};

TEST_F(NonlinearTest, HomeAgentEncapsulates) {
    open(true);
    ASSERT_TRUE(forwarder_->setCareOf(kRemote, careOf({kPeer})).ok());
    send(ethernet(kUplinkMac, kRouterMac) + ipv6(kClient, kRemote, IPPROTO_UDP, udp(1, 2, 500)));
    EXPECT_TRUE(soon([](const auto& counters) { return counters.encapsulated_packets == 1; }));
    EXPECT_EQ(counters().encapsulated_bytes, 40u + 8 + 500);
}

TEST_F(NonlinearTest, NodeDecapsulatesAndLooksAtPorts) {
    open(false);
    const auto tunnelled = [](unsigned port) {
        return ethernet(kUplinkMac, kRouterMac) +
               tunnel(kHomeAgent, ipv6(kClient, kLocal, IPPROTO_UDP, udp(1, port, 500)));
    };
    send(tunnelled(53));
    EXPECT_TRUE(soon([](const auto& counters) { return counters.decapsulated_packets == 1; }));
    EXPECT_EQ(counters().dropped_not_exposed, 0u);
    send(tunnelled(54));
    EXPECT_TRUE(soon([](const auto& counters) { return counters.dropped_not_exposed == 1; }));
    EXPECT_EQ(counters().dropped_malformed, 0u);
}

}  // namespace
}  // namespace homeslice::mobility
