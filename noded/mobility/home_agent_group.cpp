#include "noded/mobility/home_agent_group.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <utility>

#include "base/ipv4.h"
#include "base/log.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "noded/mobility/advertisement_freshness.h"
#include "noded/mobility/advertisement_message.h"

namespace homeslice::mobility {
namespace {

// Nodes try again to connect every two seconds (api/binding_transport.h).
constexpr std::chrono::seconds kSettling{3};

constexpr int kMostAtOnce = 256;  // datagrams

// A forger shall not fill the log.
constexpr std::chrono::minutes kQuiet{1};

sockaddr_in6 socketAddress(const Ipv6Address& address, uint16_t port) {
    sockaddr_in6 result{};
    result.sin6_family = AF_INET6;
    result.sin6_port = htons(port);
    result.sin6_addr = address.toIn6();
    return result;
}

absl::StatusOr<UniqueFd> openSocket(const HomeAgentGroup::Config& config) {
    UniqueFd fd(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) return errnoStatus(errno, "socket");
    const int off = 0;  // an IPv4 address is an IPv4-mapped one
    ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    const sockaddr_in6 here = socketAddress(config.self, config.port);
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&here), sizeof here) != 0)
        return errnoStatus(errno, "UDP port " + std::to_string(config.port) + " of " + config.self.toString());
    return fd;
}

class UdpGroup final : public HomeAgentGroup {
public:
    UdpGroup(const Config& config, Listener listener, UniqueFd socket_fd, UniqueFd wake)
        : config_(config),
          listener_(std::move(listener)),
          socket_(std::move(socket_fd)),
          wake_(std::move(wake)),
          thread_([this] { run(); }) {}

    ~UdpGroup() override {
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
        }
        wake();
        thread_.join();
    }

    void setMembers(const Ipv6Prefix& home_prefix, const std::vector<Ipv6Address>& members,
                    const std::string& key) override {
        {
            const std::lock_guard lock(mutex_);
            home_prefix_ = home_prefix;
            key_ = key;
            std::map<Ipv6Address, AdvertisementFreshness> before = std::exchange(others_, {});
            for (const Ipv6Address& member : members)
                if (member != config_.self && !config_.all_in_charge) others_[member] = before[member];
            join(Monotonic::now());
        }
        wake();
    }
    uint64_t refused() override {
        const std::lock_guard lock(mutex_);
        return refused_;
    }

private:
    void wake() const {
        const uint64_t one = 1;
        [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof one);
    }

    void join(Monotonic::time_point now);
    void run();
    std::optional<HomeAgentRole> step();
    void receiveAll();
    void receive(const Ipv6Address& sender, std::span<const uint8_t> datagram);
    void hear(const Ipv6Address& sender, const HomeAgentMessage& message, AdvertisementFreshness& freshness);
    void refuse(const Ipv6Address& sender, const char* why);
    void sendToAll();
    void send(const Ipv6Address& to, HomeAgentMessage::Kind kind, const Stamp& stamp);
    int millisecondsToWait();
    void tell(const HomeAgentRole& role);

    const Config config_;
    const Listener listener_;
    const UniqueFd socket_;
    const UniqueFd wake_;
    std::optional<HomeAgentRole> told_;  // the thread's own

    std::mutex mutex_;  // guards all below
    Ipv6Prefix home_prefix_;
    std::string key_;
    std::map<Ipv6Address, AdvertisementFreshness> others_;
    uint64_t refused_ = 0;
    Monotonic::time_point quiet_until_{};  // about refusals
    std::optional<Election> election_;
    bool stopping_ = false;
    std::thread thread_;
};

// With the lock held.
void UdpGroup::join(Monotonic::time_point now) {
    const bool first = !election_;
    if (first)
        election_.emplace(
            Election::Config{.self = config_.self, .priority = config_.priority, .interval = config_.interval}, now);
    election_->setAlone(others_.empty(), now, first && config_.all_in_charge ? kSettling : Monotonic::duration::zero());
}

void UdpGroup::run() {
    for (;;) {
        std::array<pollfd, 2> events{{{.fd = socket_.get(), .events = POLLIN, .revents = 0},
                                      {.fd = wake_.get(), .events = POLLIN, .revents = 0}}};
        ::poll(events.data(), events.size(), millisecondsToWait());
        if (events[1].revents != 0) {
            uint64_t count = 0;
            [[maybe_unused]] const ssize_t got = ::read(wake_.get(), &count, sizeof count);
        }
        // A lease is taken up or renewed first, then told to the others; one that ends is acted upon at once.
        const std::optional<HomeAgentRole> role = step();
        if (role) tell(*role);
        const std::lock_guard lock(mutex_);
        if (stopping_) return;
    }
}

// What the listener is to hear now, if anything.
std::optional<HomeAgentRole> UdpGroup::step() {
    const std::lock_guard lock(mutex_);
    if (!election_) return std::nullopt;
    receiveAll();
    bool renewed = false;
    if (stopping_) {
        // One alone has nobody to give the lease to: packets flow on without noded.
        if (election_->role().in_charge && !others_.empty()) {
            election_->resign();
            sendToAll();
        }
    } else if (election_->tick(Monotonic::now())) {
        renewed = true;
        sendToAll();
    }
    const HomeAgentRole role = election_->role();
    if (!renewed && told_ == role) return std::nullopt;
    return role;
}

// With the lock held, as all below that does not say otherwise. What is left comes with the next step: nobody can keep
// the lease from being renewed.
void UdpGroup::receiveAll() {
    for (int count = 0; count < kMostAtOnce; ++count) {
        std::array<uint8_t, kAdvertisementSize + 1> datagram{};  // one more, to know longer ones
        sockaddr_in6 from{};
        socklen_t length = sizeof from;
        const ssize_t size =
            ::recvfrom(socket_.get(), datagram.data(), datagram.size(), 0, reinterpret_cast<sockaddr*>(&from), &length);
        if (size < 0) return;
        receive(Ipv6Address(from.sin6_addr), std::span(datagram).first(static_cast<size_t>(size)));
    }
}

void UdpGroup::receive(const Ipv6Address& sender, std::span<const uint8_t> datagram) {
    const auto other = others_.find(sender);
    if (other == others_.end()) return refuse(sender, "no home agent of this prefix");
    const Correspondence between{.from = sender, .to = config_.self, .home_prefix = home_prefix_, .key = key_};
    const auto message = decodeMessage(between, datagram);
    if (!message) return refuse(sender, "not authentic, or not sound");
    hear(sender, *message, other->second);
}

void UdpGroup::hear(const Ipv6Address& sender, const HomeAgentMessage& message, AdvertisementFreshness& freshness) {
    if (message.kind == HomeAgentMessage::Kind::challenge) {
        if (!freshness.challenged(message.stamp)) return refuse(sender, "a challenge that answers nothing");
        if (election_->role().in_charge) send(sender, HomeAgentMessage::Kind::advertisement, freshness.next());
        return;
    }
    switch (freshness.heard(message.stamp)) {
        case AdvertisementFreshness::Verdict::fresh:
            return election_->heard(sender, message.advertisement, Monotonic::now());
        case AdvertisementFreshness::Verdict::replayed:
            return refuse(sender, "played back");
        case AdvertisementFreshness::Verdict::unknown:
            return send(sender, HomeAgentMessage::Kind::challenge, freshness.challengeTo(message.stamp));
    }
}

void UdpGroup::refuse(const Ipv6Address& sender, const char* why) {
    ++refused_;
    if (Monotonic::now() < quiet_until_) return;
    quiet_until_ = Monotonic::now() + kQuiet;
    logWarning("home agents' advertisements: one from {} is refused ({} so far): {}", addressText(sender), refused_,
               why);
}

// What is lost is sent again with the next; who is away needs it least.
void UdpGroup::sendToAll() {
    for (auto& [other, freshness] : others_) send(other, HomeAgentMessage::Kind::advertisement, freshness.next());
}

void UdpGroup::send(const Ipv6Address& to, HomeAgentMessage::Kind kind, const Stamp& stamp) {
    const Correspondence between{.from = config_.self, .to = to, .home_prefix = home_prefix_, .key = key_};
    const auto datagram =
        encodeMessage(between, {.kind = kind, .advertisement = election_->advertisement(), .stamp = stamp});
    if (!datagram) return;
    const sockaddr_in6 name = socketAddress(to, config_.port);
    ::sendto(socket_.get(), datagram->data(), datagram->size(), 0, reinterpret_cast<const sockaddr*>(&name),
             sizeof name);
}

// Without the lock.
int UdpGroup::millisecondsToWait() {
    const std::lock_guard lock(mutex_);
    if (!election_) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(election_->due() - Monotonic::now()).count();
    return static_cast<int>(std::clamp<int64_t>(left, 0, 60'000));
}

void UdpGroup::tell(const HomeAgentRole& role) {
    if (told_ != role) logInfo("home agent: {} (term {})", role.in_charge ? "in charge" : "standby", role.term);
    told_ = role;
    listener_(role);
}

}  // namespace

absl::StatusOr<std::unique_ptr<HomeAgentGroup>> HomeAgentGroup::start(const Config& config, Listener listener) {
    HS_ASSIGN_OR_RETURN_CTX(UniqueFd socket_fd, openSocket(config), "home agents' advertisements");
    UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!wake) return errnoStatus(errno, "eventfd");
    return std::make_unique<UdpGroup>(config, std::move(listener), std::move(socket_fd), std::move(wake));
}

}  // namespace homeslice::mobility
