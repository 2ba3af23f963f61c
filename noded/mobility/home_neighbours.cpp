#include "noded/mobility/home_neighbours.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/status.h"
#include "noded/sys/neighbour_discovery.h"
#include "noded/sys/netlink.h"

namespace homeslice::mobility {
namespace {

constexpr std::chrono::seconds kDetection{1};  // RETRANS_TIMER (RFC 4861 10) after one probe (RFC 4862 5.1)
constexpr std::chrono::seconds kMemory{10};

void warnUnlessOk(const absl::Status& status) {
    if (!status.ok()) logWarning("home link: {}", messageOf(status));
}

class ProxiedNeighbours final : public HomeNeighbours {
public:
    ProxiedNeighbours(const sys::Link& link, sys::Netlink netlink, sys::NeighbourDiscovery discovery, UniqueFd stop)
        : link_(link),
          netlink_(std::move(netlink)),
          discovery_(std::move(discovery)),
          stop_(std::move(stop)),
          listener_([this] { listen(); }) {}
    ~ProxiedNeighbours() override {
        const uint64_t one = 1;
        [[maybe_unused]] const ssize_t written = ::write(stop_.get(), &one, sizeof one);
        listener_.join();
    }

    Uniqueness uniquenessOf(const Ipv6Address& home_address) override;
    void setBound(const Ipv6Address& home_address, bool bound) override;
    void setInCharge(bool in_charge) override;

private:
    struct Detection {
        Monotonic::time_point began;
        bool claimed = false;  // by another host
    };
    void listen();
    void proxy(const Ipv6Address& home_address, bool proxied);

    const sys::Link link_;
    std::mutex mutex_;  // guards all below but the thread's descriptors
    sys::Netlink netlink_;
    const sys::NeighbourDiscovery discovery_;
    bool in_charge_ = false;
    std::set<Ipv6Address> bound_;
    std::map<Ipv6Address, Detection> detections_;
    const UniqueFd stop_;
    std::thread listener_;
};

HomeNeighbours::Uniqueness ProxiedNeighbours::uniquenessOf(const Ipv6Address& home_address) {
    const std::lock_guard lock(mutex_);
    if (!in_charge_) return Uniqueness::unique;
    const auto now = Monotonic::now();
    std::erase_if(detections_, [&](const auto& entry) { return now - entry.second.began > kMemory; });
    const auto [entry, is_new] = detections_.try_emplace(home_address, Detection{.began = now});
    if (is_new) warnUnlessOk(discovery_.probe(home_address));
    if (entry->second.claimed) return Uniqueness::duplicate;
    return now - entry->second.began < kDetection ? Uniqueness::unknown : Uniqueness::unique;
}

void ProxiedNeighbours::setBound(const Ipv6Address& home_address, bool bound) {
    const std::lock_guard lock(mutex_);
    const bool changed = bound ? bound_.insert(home_address).second : bound_.erase(home_address) != 0;
    if (changed && in_charge_) proxy(home_address, bound);
}

void ProxiedNeighbours::setInCharge(bool in_charge) {
    const std::lock_guard lock(mutex_);
    in_charge_ = in_charge;
    for (const Ipv6Address& home_address : bound_) proxy(home_address, in_charge);
}

// With the lock held.
void ProxiedNeighbours::proxy(const Ipv6Address& home_address, bool proxied) {
    if (!proxied) return warnUnlessOk(netlink_.deleteProxyNeighbour(link_.index, home_address));
    warnUnlessOk(netlink_.addProxyNeighbour(link_.index, home_address));
    warnUnlessOk(discovery_.advertise(home_address));
}

void ProxiedNeighbours::listen() {
    for (;;) {
        std::array<pollfd, 2> events{{{.fd = discovery_.fd(), .events = POLLIN, .revents = 0},
                                      {.fd = stop_.get(), .events = POLLIN, .revents = 0}}};
        if (::poll(events.data(), events.size(), -1) < 0) continue;
        if (events[1].revents != 0) return;
        while (const auto claimed = discovery_.nextClaim()) {
            const std::lock_guard lock(mutex_);
            const auto detection = detections_.find(*claimed);
            if (detection != detections_.end()) detection->second.claimed = true;
        }
    }
}

// Both matter: the kernel looks at one for solicitations to a group, at the other for those to the address itself.
absl::Status enableProxying(const std::string& link) {
    const std::string net = "/proc/sys/net/ipv6/";
    HS_RETURN_IF_ERROR(writeControlFile(net + "conf/all/proxy_ndp", "1"));
    HS_RETURN_IF_ERROR(writeControlFile(net + "conf/" + link + "/proxy_ndp", "1"));
    return writeControlFile(net + "neigh/" + link + "/proxy_delay", "0");
}

absl::StatusOr<std::unique_ptr<HomeNeighbours>> openNeighbours(const std::string& name) {
    HS_ASSIGN_OR_RETURN(sys::Netlink netlink, sys::Netlink::open());
    HS_ASSIGN_OR_RETURN(const sys::Link link, netlink.link(name));
    HS_RETURN_IF_ERROR(enableProxying(name));
    HS_ASSIGN_OR_RETURN(sys::NeighbourDiscovery discovery, sys::NeighbourDiscovery::open(link));
    UniqueFd stop(::eventfd(0, EFD_CLOEXEC));
    if (!stop) return errnoStatus(errno, "eventfd");
    return std::make_unique<ProxiedNeighbours>(link, std::move(netlink), std::move(discovery), std::move(stop));
}

}  // namespace

absl::StatusOr<std::unique_ptr<HomeNeighbours>> HomeNeighbours::open(const std::string& link) {
    HS_ASSIGN_OR_RETURN_CTX(auto neighbours, openNeighbours(link), "home link " + link);
    return neighbours;
}

}  // namespace homeslice::mobility
