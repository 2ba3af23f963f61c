#include "noded/mobility/test_network.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <thread>

#include "base/file.h"
#include "base/status.h"
#include "tests/support/command.h"

namespace homeslice::mobility {

Ipv6Address address(const std::string& text) { return Ipv6Address::parse(text).value_or(Ipv6Address()); }
Ipv6Prefix prefix(const std::string& text) { return Ipv6Prefix::parse(text).value_or(Ipv6Prefix()); }

std::string pingWithFragments(const std::string& to) {
    const std::string ping = "ping -c 3 -i 0.3 -W 5 -s 3000 " + to;
    return ping + " || " + ping;
}

bool eventually(const std::function<bool()>& holds) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!holds()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return true;
}

TestHost::TestHost() {
    std::thread([this] {
        ASSERT_EQ(::unshare(CLONE_NEWNET), 0);
        netns_ = openFile("/proc/thread-self/ns/net", O_RDONLY).value_or(UniqueFd());
        auto netlink = sys::Netlink::open();
        ASSERT_TRUE(netlink.ok()) << netlink.status();
        netlink_ = std::make_unique<sys::Netlink>(std::move(*netlink));
        EXPECT_TRUE(netlink_->setUp(1).ok());
    }).join();
}

void TestHost::run(const std::function<void()>& work) const {
    std::thread([&] {
        ASSERT_EQ(::setns(netns_.get(), CLONE_NEWNET), 0);
        work();
    }).join();
}

int TestHost::index(const std::string& link) {
    const auto found = netlink_->link(link);
    EXPECT_TRUE(found.ok()) << found.status();
    return found.ok() ? found->index : -1;
}

void TestHost::connect(const std::string& name, const sys::MacAddress& mac, TestHost& peer,
                       const std::string& peer_name, const sys::MacAddress& peer_mac, uint32_t mtu) {
    EXPECT_EQ(netlink_->addVeth({.name = name,
                                 .mac = mac,
                                 .peer_name = peer_name,
                                 .peer_mac = peer_mac,
                                 .peer_netns_fd = peer.netns_.get(),
                                 .mtu = mtu}),
              absl::OkStatus());
    EXPECT_EQ(netlink_->setUp(index(name)), absl::OkStatus());
    EXPECT_EQ(peer.netlink_->setUp(peer.index(peer_name)), absl::OkStatus());
}

void TestHost::addAddress(const std::string& link, const std::string& text, uint8_t length, bool deprecated) {
    EXPECT_EQ(netlink_->addAddress(index(link), address(text), length, deprecated), absl::OkStatus());
}

void TestHost::addRoute(const std::string& destination, const std::string& link, const std::string& gateway) {
    EXPECT_EQ(netlink_->addRoute(prefix(destination), index(link), address(gateway)), absl::OkStatus());
}

void TestHost::setMtu(const std::string& link, uint32_t mtu) const {
    run([&] {
        const UniqueFd fd(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        ifreq request{};
        link.copy(request.ifr_name, IFNAMSIZ - 1);
        request.ifr_mtu = static_cast<int>(mtu);
        EXPECT_EQ(::ioctl(fd.get(), SIOCSIFMTU, &request), 0) << errno;
    });
}

void TestHost::makeRouter() const {
    run([] {
        EXPECT_EQ(writeControlFile("/proc/sys/net/ipv6/conf/all/forwarding", "1"), absl::OkStatus());
        EXPECT_EQ(writeControlFile("/proc/sys/net/ipv4/ip_forward", "1"), absl::OkStatus());
    });
}

std::string TestHost::shell(const std::string& script) const {
    testing_support::CommandResult result;
    run([&] { result = testing_support::runCommand({"sh", "-ec", script}); });
    EXPECT_EQ(result.status, 0) << script << "\n" << result.out << result.err;
    return result.out;
}

TestBpfFs::TestBpfFs() {
    std::string path = "/tmp/hst-bpf-XXXXXX";
    // Of the calling thread, and of those it starts.
    EXPECT_EQ(::unshare(CLONE_NEWNS), 0);
    EXPECT_EQ(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    EXPECT_NE(::mkdtemp(path.data()), nullptr);
    EXPECT_EQ(::mount("bpf", path.c_str(), "bpf", 0, nullptr), 0) << errno;
    path_ = path;
}

TestBpfFs::~TestBpfFs() {
    ::umount2(path_.c_str(), MNT_DETACH);
    ::rmdir(path_.c_str());
}

}  // namespace homeslice::mobility
