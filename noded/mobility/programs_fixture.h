// The BPF programs over maps that a real Forwarder filled, and packets to run them on (PROG_TEST_RUN).
#pragma once

#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <memory>
#include <string>

#include "noded/mobility/programs.h"
#include "noded/mobility/test_care_of.h"
#include "noded/mobility/test_network.h"
#include "noded/mobility/test_packet.h"
#include "tests/support/privileges.h"

namespace homeslice::mobility {

inline constexpr sys::MacAddress kUplinkMac{0x02, 0, 0, 0, 0, 0x10};
inline constexpr sys::MacAddress kRouterMac{0x02, 0, 0, 0, 0, 0x11};
inline constexpr sys::MacAddress kHostMac{0x02, 0, 0, 0, 0, 0x20};
inline constexpr sys::MacAddress kSliverMac{0x02, 0, 0, 0, 0, 0x21};
inline constexpr sys::MacAddress kHostMac2{0x02, 0, 0, 0, 0, 0x30};
inline constexpr sys::MacAddress kSliverMac2{0x02, 0, 0, 0, 0, 0x31};

inline const Ipv6Prefix kHomePrefix = prefix("fd51:1ce::/48");
inline const Ipv6Address kSelf = address("fd00:51ce::1");
inline const Ipv6Address kPeer = address("fd00:51ce::2");
inline const Ipv6Address kPeer3 = address("fd00:51ce::3");
inline const Ipv6Address kHomeAgent = address("fd00:51ce::a0a0");
inline const Ipv6Address kStranger = address("fd00:51ce::bad");
inline const Ipv6Address kClient = address("2001:db8::cccc");
inline const Ipv6Address kSlice = address("fd51:1ce:0:1::1");
inline const Ipv6Address kLocal = address("fd51:1ce:0:1::1:1");
inline const Ipv6Address kLocal2 = address("fd51:1ce:0:1::1:2");
inline const Ipv6Address kRemote = address("fd51:1ce:0:1::1:9");
inline const Ipv6Address kOtherSlice = address("fd51:1ce:0:2::1:1");

// What a program made of a packet.
struct Result {
    uint32_t action = 0;
    Bytes packet;
    uint32_t mark = 0;
};

class ProgramsTest : public ::testing::Test {
protected:
    void SetUp() override {
        HS_REQUIRE_ROOT();
        bpffs_ = std::make_unique<TestBpfFs>();
        host_ = std::make_unique<TestHost>();
        host_->connect("up0", kUplinkMac, outside_, "router", kRouterMac, 1500);
        host_->connect("port1", kHostMac, outside_, "sliver1", kSliverMac, 1460);
        host_->connect("port2", kHostMac2, outside_, "sliver2", kSliverMac2, 1460);
    }

    // Opens the data plane in a role; two local slivers of one slice on an access gateway.
    void open(bool home_agent) {
        const ForwarderConfig config{.uplink = "up0",
                                     .care_of_address = self_,
                                     .pin_directory = bpffs_->directory("node"),
                                     .home_agent = home_agent,
                                     .reverse_tunnel = reverse_tunnel_,
                                     .outbound = outbound_};
        host_->run([&] {
            auto forwarder = Forwarder::open(config);
            ASSERT_TRUE(forwarder.ok()) << forwarder.status();
            forwarder_ = std::move(*forwarder);
            ASSERT_EQ(forwarder_->setHomePrefix(kHomePrefix, home_agent ? Ipv6Address() : peers_.back()),
                      absl::OkStatus());
            ASSERT_EQ(forwarder_->setTrustedPeers(peers_), absl::OkStatus());
            if (!home_agent) addPorts();
            auto programs = Programs::load(config.pin_directory, home_agent);
            ASSERT_TRUE(programs.ok()) << programs.status();
            programs_ = std::make_unique<Programs>(std::move(*programs));
        });
        ASSERT_NE(programs_, nullptr);
    }
    // A node in the same place that remembers nothing.
    void becomeAnother(bool home_agent) {
        programs_.reset();
        forwarder_.reset();
        bpffs_ = std::make_unique<TestBpfFs>();
        open(home_agent);
    }
    SliverPort port1() const {
        return {.link_name = "port1",
                .host_mac = kHostMac,
                .sliver_mac = kSliverMac,
                .home_address = kLocal,
                .slice_address = kSlice,
                .binding_id = 1,
                .exposed = {{.protocol = IPPROTO_TCP, .port = 80}, {.protocol = IPPROTO_UDP, .port = 53}}};
    }
    SliverPort port2() const {
        return {.link_name = "port2",
                .host_mac = kHostMac2,
                .sliver_mac = kSliverMac2,
                .home_address = kLocal2,
                .slice_address = kSlice,
                .binding_id = 2,
                .exposed = {}};
    }
    void addPorts() {
        ASSERT_EQ(forwarder_->addPort(port1()), absl::OkStatus());
        ASSERT_EQ(forwarder_->addPort(port2()), absl::OkStatus());
    }

    Result run(const std::string& program, const std::string& link, const Bytes& packet, uint32_t gso_size = 0) {
        Result result;
        result.packet.resize(packet.size() + 256);
        __sk_buff context{};
        context.ifindex = static_cast<uint32_t>(host_->index(link));
        context.gso_size = gso_size;
        bpf_test_run_opts options{};
        options.sz = sizeof(options);
        options.data_in = packet.data();
        options.data_size_in = static_cast<uint32_t>(packet.size());
        options.data_out = result.packet.data();
        options.data_size_out = static_cast<uint32_t>(result.packet.size());
        options.ctx_in = options.ctx_out = &context;
        options.ctx_size_in = options.ctx_size_out = sizeof(context);
        host_->run([&] { ASSERT_EQ(bpf_prog_test_run_opts(programs_->programFd(program), &options), 0) << errno; });
        result.action = options.retval;
        result.packet.resize(options.data_size_out);
        result.mark = context.mark;
        return result;
    }
    Result fromUplink(const Bytes& packet) {
        return run("uplink_ingress", "up0", ethernet(kUplinkMac, kRouterMac) + packet);
    }
    Result fromSliver(const Bytes& packet) {
        return run("port_ingress", "port1", ethernet(kHostMac, kSliverMac) + packet);
    }
    Result toSliver(const Bytes& packet) {
        return run("port_egress", "port1", ethernet(kSliverMac, kHostMac) + packet);
    }
    ForwarderCounters counters() { return *forwarder_->counters(); }

    static Bytes tunnel(const Ipv6Address& from, const Bytes& inner, const Ipv6Options& options = {},
                        const Ipv6Address& to = kSelf) {
        return ipv6(from, to, IPPROTO_IPV6, inner, options);
    }
    static Ipv6Address outerSource(const Bytes& packet) { return addressAt(packet, 14 + 8); }
    static Ipv6Address outerDestination(const Bytes& packet) { return addressAt(packet, 14 + 24); }
    static uint32_t outerFlowLabel(const Bytes& packet) {
        return (packet.at(15) & 0x0fU) << 16 | uint32_t{packet.at(16)} << 8 | packet.at(17);
    }
    static Bytes inside(const Bytes& packet) { return Bytes(packet.begin() + 54, packet.end()); }
    static Ipv6Address addressAt(const Bytes& packet, size_t offset) {
        if (packet.size() < offset + 16) return {};
        return *Ipv6Address::fromBytes(std::string(packet.begin() + static_cast<ptrdiff_t>(offset),
                                                   packet.begin() + static_cast<ptrdiff_t>(offset) + 16));
    }

    Ipv6Address self_ = kSelf;
    std::vector<Ipv6Address> peers_{kPeer, kPeer3, kHomeAgent};  // the last is the home agent
    bool reverse_tunnel_ = false;
    bool outbound_ = false;
    std::unique_ptr<TestBpfFs> bpffs_;
    TestHost outside_;
    std::unique_ptr<TestHost> host_;
    std::unique_ptr<Forwarder> forwarder_;
    std::unique_ptr<Programs> programs_;
};

}  // namespace homeslice::mobility
