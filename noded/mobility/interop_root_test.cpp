// Others that speak the same wire format: the kernel's SRv6 (one segment, reduced: plain IPv6 in IPv6) takes the home
// agent's place, then the node's; and a protocol analyser reads what is on the wire.
#include <filesystem>

#include "noded/mobility/forwarder_fixture.h"
#include "tests/support/command.h"

namespace homeslice::mobility {
namespace {

using testing_support::CommandResult;
using testing_support::runCommand;

class InteropTest : public ForwarderTest {
protected:
    static CommandResult shell(const TestHost& host, const std::string& script) {
        CommandResult result;
        host.run([&] { result = runCommand({"sh", "-ec", script}); });
        return result;
    }
    static void mustRun(const TestHost& host, const std::string& script) {
        const CommandResult result = shell(host, script);
        ASSERT_EQ(result.status, 0) << script << "\n" << result.err;
    }
    static void withoutForwarder(Node& node) {
        node.forwarder.reset();
        node.host.run([&] { ASSERT_EQ(removeForwarder(node.config()), absl::OkStatus()); });
    }
    void expectService() {
        const EchoServer server(sliver1_.host);
        const UniqueFd fd = makeSocket(*client_, SOCK_STREAM);
        ASSERT_EQ(connectError(fd.get(), sliver1_.home, kEchoPort), 0);
        EXPECT_TRUE(echoBulk(fd.get(), 2U << 20));
    }
};

TEST_F(InteropTest, KernelEncapsulatesAndOurNodeDecapsulates) {
    sliver1_.plugInto(*node1_);
    bindings_.reset();
    withoutForwarder(*home_agent_);
    mustRun(home_agent_->host, "ip sr tunsrc set " + home_agent_->careOf().toString() + "; ip -6 route replace " +
                                   sliver1_.home.toString() + "/128 encap seg6 mode encap.red segs " +
                                   node1_->careOf().toString() + " dev eth0 mtu 1460");
    expectService();
    EXPECT_GT(node1_->forwarder->counters()->decapsulated_packets, 50u);
    EXPECT_EQ(node1_->forwarder->counters()->dropped_malformed, 0u);
}

TEST_F(InteropTest, OurHomeAgentEncapsulatesAndTheKernelDecapsulates) {
    withoutForwarder(*node1_);
    node1_->host.connect("hs1", sys::randomMac(), sliver1_.host, "eth0", sys::randomMac(), 1460);
    const std::string care_of = node1_->careOf().toString();
    mustRun(
        node1_->host,
        "ip -6 address add fe80::1/64 dev hs1 nodad; ip -6 route add " + sliver1_.home.toString() +
            "/128 dev hs1; ip -6 rule add pref 100 lookup local; ip -6 rule del pref 0; ip -6 rule add pref 10 to " +
            care_of + "/128 ipproto ipv6 lookup 41; ip -6 route add " + care_of +
            "/128 table 41 encap seg6local action End.DT6 table main dev eth0");
    mustRun(sliver1_.host, "ip -6 address add " + sliver1_.home.toString() +
                               "/128 dev eth0 nodad; ip -6 route add default via fe80::1 dev eth0");
    bind(sliver1_.home, *node1_, 1);
    expectService();
    EXPECT_GT(encapsulatedByHomeAgent(), 50u);
}

// Every packet on the home agent's link, tunnelled and not, with all checksums on the wire.
TEST_F(InteropTest, AnalyserReadsOurPacketsClean) {
    sliver1_.plugInto(*node1_);
    sliver2_.plugInto(*node2_);
    bind(sliver1_.home, *node1_, 1);
    bind(sliver2_.home, *node2_, 1);
    bind(kSlice, *node1_, 1, 1);
    bind(kSlice, *node2_, 1, 2);
    for (const TestHost* host :
         {client_.get(), static_cast<TestHost*>(&sliver1_.host), static_cast<TestHost*>(&sliver2_.host)})
        mustRun(*host, "ethtool -K eth0 tx off tso off gso off >/dev/null");
    const std::string file = std::filesystem::temp_directory_path() / ("hst-capture-" + std::to_string(::getpid()));
    std::filesystem::remove(file);
    std::thread capture([&] {
        mustRun(*router_, "timeout 30 tcpdump -i to-ha -U -w " + file + " -c 600 2>/dev/null || [ $? = 124 ]");
    });
    // tcpdump makes the file when it listens.
    while (!std::filesystem::exists(file)) std::this_thread::yield();
    {
        const EchoServer first(sliver1_.host);
        const EchoServer second(sliver2_.host);
        EXPECT_EQ(tryEcho(*client_, sliver1_.home), 0);
        EXPECT_EQ(tryEcho(*client_, kSlice), 0);
        EXPECT_EQ(tryEcho(sliver1_.host, sliver2_.home), 0);
        mustRun(*client_, "ping -q -c 3 -i 0.2 -s 3000 " + sliver1_.home.toString());  // in fragments
        const UniqueFd fd = makeSocket(*client_, SOCK_STREAM);
        ASSERT_EQ(connectError(fd.get(), sliver2_.home, kEchoPort), 0);
        EXPECT_TRUE(echoBulk(fd.get(), 1U << 20));
    }
    capture.join();
    const std::string read =
        "tshark -n -r " + file + " -o tcp.check_checksum:TRUE -o udp.check_checksum:TRUE -o ipv6.defragment:TRUE";
    const CommandResult tunnelled =
        shell(*router_, read + " -Y 'ipv6.nxt == 41 && ipv6.dst == " + node1_->careOf().toString() + "' | wc -l");
    EXPECT_GT(std::stoi(tunnelled.out), 10) << tunnelled.err;
    const CommandResult bad = shell(*router_, read +
                                                  " -Y '_ws.malformed || tcp.checksum.status == 0 || "
                                                  "icmpv6.checksum.status == 0 || _ws.expert.severity == 0x800000'");
    EXPECT_EQ(bad.out, "") << "of these something is wrong";
    EXPECT_EQ(bad.status, 0) << bad.err;
    const CommandResult dump = shell(*router_, "tcpdump -n -r " + file + " ip6 proto 41 2>/dev/null | head -3");
    EXPECT_NE(dump.out.find(home_agent_->careOf().toString() + " > " + node1_->careOf().toString() + ": IP6"),
              std::string::npos)
        << dump.out;
    std::filesystem::remove(file);
}

}  // namespace
}  // namespace homeslice::mobility
