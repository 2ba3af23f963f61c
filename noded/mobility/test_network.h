// Hosts for privileged tests: network namespaces without a name, gone with their last descriptor, and a bpffs that only
// the test's mount namespace sees.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/unique_fd.h"
#include "noded/mobility/forwarder.h"
#include "noded/sys/netlink.h"

namespace homeslice::mobility {

Ipv6Address address(const std::string& text);
Ipv6Prefix prefix(const std::string& text);

class TestHost {
public:
    TestHost();
    // Runs `work` in a thread inside this host and waits for it.
    void run(const std::function<void()>& work) const;
    sys::Netlink& netlink() { return *netlink_; }
    int index(const std::string& link);
    // A veth pair, both ends up, from `name` here to `peer_name` there.
    void connect(const std::string& name, const sys::MacAddress& mac, TestHost& peer, const std::string& peer_name,
                 const sys::MacAddress& peer_mac, uint32_t mtu);
    void addAddress(const std::string& link, const std::string& text, uint8_t length, bool deprecated = false);
    void addRoute(const std::string& destination, const std::string& link, const std::string& gateway);
    void setMtu(const std::string& link, uint32_t mtu) const;
    // Routes between its links, IPv4 as well.
    void makeRouter() const;
    // Runs a shell script inside, which has to succeed; what it said.
    std::string shell(const std::string& script) const;

private:
    UniqueFd netns_;
    std::unique_ptr<sys::Netlink> netlink_;
};

// A command. It begins anew once: a socket of ping does not take up the path MTU that its own packets have shown.
std::string pingWithFragments(const std::string& to);

// Asks again until it holds, for twenty seconds.
bool eventually(const std::function<bool()>& holds);

// A directory on a bpffs of the calling process alone; gone with the object.
class TestBpfFs {
public:
    TestBpfFs();
    ~TestBpfFs();
    TestBpfFs(const TestBpfFs&) = delete;
    TestBpfFs& operator=(const TestBpfFs&) = delete;
    std::string directory(const std::string& name) const { return path_ + "/" + name; }

private:
    std::string path_;
};

}  // namespace homeslice::mobility
