#include "noded/mobility/keepalive_server.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/ipv4.h"
#include "base/log.h"
#include "base/nat.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "noded/mobility/keepalive_message.h"
#include "noded/mobility/udp_socket.h"

namespace homeslice::mobility {
namespace {

constexpr int kLookEveryMs = 1000;

class UdpKeepaliveServer final : public KeepaliveServer {
public:
    UdpKeepaliveServer(const Config& config, Forwarder& forwarder, UniqueFd socket, UniqueFd stop)
        : lifetime_(config.lifetime), forwarder_(forwarder), socket_(std::move(socket)), stop_(std::move(stop)) {
        for (const auto& [care_of, seen] : forwarder_.natBindings()) {
            known_[care_of].seen = seen;
            known_[care_of].heard = Monotonic::now();
        }
        thread_ = std::thread([this] { run(); });
    }
    ~UdpKeepaliveServer() override {
        const uint64_t one = 1;
        [[maybe_unused]] const ssize_t n = ::write(stop_.get(), &one, sizeof one);
        thread_.join();
    }
    UdpKeepaliveServer(const UdpKeepaliveServer&) = delete;
    UdpKeepaliveServer& operator=(const UdpKeepaliveServer&) = delete;

    absl::Status setKey(const std::string& node, const Ipv6Address& care_of_address, const std::string& key) override;
    uint64_t refused() override {
        const std::lock_guard lock(mutex_);
        return refused_;
    }

private:
    struct Peer {
        std::string key;
        uint64_t sequence = 0;  // the last
        std::optional<UdpEndpoint> seen;
        Monotonic::time_point heard;
    };

    void run();
    void receive();
    std::optional<std::string> take(std::span<const uint8_t> datagram, const Keepalive& keepalive,
                                    const UdpEndpoint& from);
    void forgetSilent();
    void forget(const Ipv6Address& care_of_address);

    const std::chrono::milliseconds lifetime_;
    Forwarder& forwarder_;
    const UniqueFd socket_;
    const UniqueFd stop_;
    std::mutex mutex_;  // guards all below
    std::map<Ipv6Address, Peer> known_;
    std::map<std::string, Ipv6Address> addresses_;  // of nodes that have set a key
    uint64_t refused_ = 0;
    std::thread thread_;
};

absl::Status UdpKeepaliveServer::setKey(const std::string& node, const Ipv6Address& care_of_address,
                                        const std::string& key) {
    if (key.size() != kKeepaliveKeySize) return invalidArgument("a keepalive key has 32 bytes");
    if (!isBehindNatOf(care_of_address, node))
        return invalidArgument(addressText(care_of_address) + " is no address of node '" + node + "' behind a NAT");
    const std::lock_guard lock(mutex_);
    const auto before = addresses_.find(node);
    if (before != addresses_.end() && before->second != care_of_address) forget(before->second);
    addresses_[node] = care_of_address;
    Peer& peer = known_[care_of_address];
    peer.key = key;
    peer.sequence = 0;
    peer.heard = Monotonic::now();
    return absl::OkStatus();
}

void UdpKeepaliveServer::run() {
    std::array<pollfd, 2> waited{pollfd{.fd = stop_.get(), .events = POLLIN, .revents = 0},
                                 pollfd{.fd = socket_.get(), .events = POLLIN, .revents = 0}};
    while (waited[0].revents == 0) {
        if (::poll(waited.data(), waited.size(), kLookEveryMs) < 0) continue;
        if (waited[1].revents != 0) receive();
        forgetSilent();
    }
}

void UdpKeepaliveServer::receive() {
    std::array<uint8_t, kKeepaliveSize> buffer{};
    while (const auto received = receiveUdp(socket_.get(), buffer)) {
        if (received->size != kKeepaliveSize) continue;
        const auto keepalive = decodeKeepalive(buffer);
        if (!keepalive || keepalive->seen) continue;
        const auto key = take(buffer, *keepalive, received->from);
        if (!key) continue;
        const Keepalive answer{
            .care_of_address = keepalive->care_of_address, .sequence = keepalive->sequence, .seen = received->from};
        sendUdp(socket_.get(), encodeKeepalive(answer, *key), received->from);
    }
}

// The key to answer with, if it counts.
std::optional<std::string> UdpKeepaliveServer::take(std::span<const uint8_t> datagram, const Keepalive& keepalive,
                                                    const UdpEndpoint& from) {
    const std::lock_guard lock(mutex_);
    const auto found = known_.find(keepalive.care_of_address);
    if (found == known_.end() || !isSignedWith(datagram, found->second.key) ||
        keepalive.sequence <= found->second.sequence) {
        ++refused_;
        return std::nullopt;
    }
    Peer& peer = found->second;
    peer.sequence = keepalive.sequence;
    peer.heard = Monotonic::now();
    if (peer.seen == from) return peer.key;
    if (const absl::Status told = forwarder_.setNatBinding(keepalive.care_of_address, from); !told.ok()) {
        logWarning("NAT binding of {}: {}", addressText(keepalive.care_of_address), messageOf(told));
        return std::nullopt;
    }
    logInfo("{} is seen at {}", addressText(keepalive.care_of_address), endpointText(from.address, from.port));
    peer.seen = from;
    return peer.key;
}

void UdpKeepaliveServer::forgetSilent() {
    const std::lock_guard lock(mutex_);
    std::vector<Ipv6Address> silent;
    for (const auto& [care_of, peer] : known_)
        if (Monotonic::now() - peer.heard > lifetime_) silent.push_back(care_of);
    for (const Ipv6Address& care_of : silent) forget(care_of);
}

// With the lock held.
void UdpKeepaliveServer::forget(const Ipv6Address& care_of_address) {
    if (const absl::Status told = forwarder_.setNatBinding(care_of_address, std::nullopt); !told.ok())
        logWarning("NAT binding of {}: {}", addressText(care_of_address), messageOf(told));
    known_.erase(care_of_address);
    std::erase_if(addresses_, [&](const auto& entry) { return entry.second == care_of_address; });
}

}  // namespace

absl::StatusOr<std::unique_ptr<KeepaliveServer>> KeepaliveServer::start(const Config& config, Forwarder& forwarder) {
    HS_ASSIGN_OR_RETURN(UniqueFd socket, openUdp(config.self));
    UniqueFd stop(::eventfd(0, EFD_CLOEXEC));
    if (!stop) return errnoStatus(errno, "eventfd");
    return std::make_unique<UdpKeepaliveServer>(config, forwarder, std::move(socket), std::move(stop));
}

}  // namespace homeslice::mobility
