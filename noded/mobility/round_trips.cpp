#include "noded/mobility/round_trips.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/ipv4.h"
#include "base/log.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "noded/mobility/echo_socket.h"
#include "noded/mobility/measured_distance.h"

namespace homeslice::mobility {
namespace {

using std::chrono::microseconds;

constexpr std::chrono::milliseconds kLook{250};       // for new addresses, and who is due
constexpr std::chrono::milliseconds kInterval{1000};  // of probes, once there are enough
constexpr std::chrono::milliseconds kPatience{1000};  // an answer that takes longer is none
constexpr int kMostAtOnce = 64;                       // with kLook: 256 probes a second at most

// One address that is probed.
struct Target {
    MeasuredDistance distance{};
    Monotonic::time_point due;  // of the next probe
    uint16_t sequence = 0;
    // Of the last probe, while there is no answer.
    bool waiting = false;
    uint64_t secret = 0;
    EchoSocket::Time sent{};
    Monotonic::time_point give_up{};
};

class EchoProber final : public RoundTrips {
public:
    EchoProber(EchoSocket socket, UniqueFd stop, Forwarder& forwarder)
        : socket_(std::move(socket)), stop_(std::move(stop)), forwarder_(forwarder), thread_([this] { run(); }) {}
    ~EchoProber() override {
        const uint64_t one = 1;
        [[maybe_unused]] const ssize_t written = ::write(stop_.get(), &one, sizeof one);
        thread_.join();
    }
    EchoProber(const EchoProber&) = delete;
    EchoProber& operator=(const EchoProber&) = delete;

private:
    void run() {
        auto next_look = Monotonic::now();
        for (;;) {
            if (const auto now = Monotonic::now(); now >= next_look) {
                look(now);
                next_look = now + kLook;
            }
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(next_look - Monotonic::now());
            std::array<pollfd, 2> events{{{.fd = stop_.get(), .events = POLLIN, .revents = 0},
                                          {.fd = socket_.fd(), .events = POLLIN, .revents = 0}}};
            ::poll(events.data(), events.size(), std::max(0, static_cast<int>(left.count())));
            if (events[0].revents != 0) return;
            while (const auto reply = socket_.receive()) take(*reply);
        }
    }

    void look(Monotonic::time_point now) {
        keepOnly(forwarder_.measuredAddresses(), now);
        int probes = 0;
        for (auto& [address, target] : targets_) {
            if (target.waiting && now >= target.give_up) giveUp(address, target);
            if (target.waiting || now < target.due || probes == kMostAtOnce) continue;
            probe(address, target, now);
            ++probes;
        }
    }

    void keepOnly(const std::vector<Ipv6Address>& wanted, Monotonic::time_point now) {
        std::map<Ipv6Address, Target> before = std::exchange(targets_, {});
        for (const Ipv6Address& address : wanted) {
            const auto known = before.find(address);
            targets_.emplace(address, known == before.end() ? Target{.due = now} : known->second);
        }
    }

    void probe(const Ipv6Address& address, Target& target, Monotonic::time_point now) {
        if (::getrandom(&target.secret, sizeof target.secret, 0) != sizeof target.secret) return;
        target.waiting = true;
        target.give_up = now + kPatience;
        target.due = now + (target.distance.isRough() ? kLook : kInterval);
        target.sent = EchoSocket::now();
        // What cannot be sent goes without an answer, too.
        static_cast<void>(socket_.send(address, ++target.sequence, target.secret));
    }

    void giveUp(const Ipv6Address& address, Target& target) {
        const bool was_away = target.distance.isAway();
        target.waiting = false;
        target.distance.unanswered();
        if (!target.distance.isAway() || was_away) return;
        logInfo("{} does not answer echo requests: it is near to nobody", addressText(address));
        tell(address, target);
    }

    void take(const EchoSocket::Reply& reply) {
        const auto found = targets_.find(reply.sender);
        if (found == targets_.end()) return;
        Target& target = found->second;
        if (!target.waiting || reply.sequence != target.sequence || reply.secret != target.secret) return;
        target.waiting = false;
        const auto took = std::chrono::duration_cast<microseconds>(reply.received - target.sent);
        // Somebody has set the clock meanwhile.
        if (took.count() < 0 || took > kPatience + kLook) return;
        target.distance.answered(std::max(took, microseconds(1)));
        tell(reply.sender, target);
    }

    void tell(const Ipv6Address& address, const Target& target) {
        const absl::Status told = forwarder_.setRoundTrip(address, target.distance.value());
        if (!told.ok()) logWarning("distance of {}: {}", addressText(address), messageOf(told));
    }

    const EchoSocket socket_;
    const UniqueFd stop_;
    Forwarder& forwarder_;
    std::map<Ipv6Address, Target> targets_;  // the thread's own
    std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<RoundTrips>> RoundTrips::start(const Ipv6Address& self, Forwarder& forwarder) {
    HS_ASSIGN_OR_RETURN(EchoSocket socket, EchoSocket::open(self));
    UniqueFd stop(::eventfd(0, EFD_CLOEXEC));
    if (!stop) return errnoStatus(errno, "eventfd");
    return std::make_unique<EchoProber>(std::move(socket), std::move(stop), forwarder);
}

}  // namespace homeslice::mobility
