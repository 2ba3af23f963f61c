#include "rebinding.h"

#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "base/clock.h"
#include "base/status.h"
#include "traffic.h"

namespace homeslice::bench {
namespace {

constexpr std::chrono::microseconds kInterval{100};
constexpr std::chrono::milliseconds kBetween{100};
constexpr int kBuffer = 32 << 20;

struct Arrival {
    uint64_t number;
    Monotonic::time_point time;
};

// Notes what arrives at one of the places, until stop().
class Receiver {
public:
    explicit Receiver(const Box& box) {
        box.run([&] {
            fd_.reset(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
            sockaddr_in6 here{};
            here.sin6_family = AF_INET6;
            here.sin6_port = htons(kEchoPort);
            if (::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&here), sizeof(here)) != 0) fd_.reset();
            ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kBuffer, sizeof(kBuffer));
        });
        thread_ = std::thread([this] { receive(); });
    }
    const std::vector<Arrival>& stop() {
        ::shutdown(fd_.get(), SHUT_RDWR);
        if (thread_.joinable()) thread_.join();
        return arrivals_;
    }
    ~Receiver() { stop(); }
    Receiver(const Receiver&) = delete;
    Receiver& operator=(const Receiver&) = delete;

private:
    void receive() {
        uint64_t number = 0;
        while (::recv(fd_.get(), &number, sizeof(number), 0) == sizeof(number))
            arrivals_.push_back({number, Monotonic::now()});
    }

    UniqueFd fd_;
    std::vector<Arrival> arrivals_;
    std::thread thread_;
};

// Sends numbered datagrams at a steady pace until told to stop; returns how many.
uint64_t sendSteadily(int fd, const std::atomic<bool>& stop) {
    uint64_t number = 0;
    for (auto due = Monotonic::now(); !stop; due += kInterval) {
        std::this_thread::sleep_until(due);
        if (::send(fd, &number, sizeof(number), 0) == sizeof(number)) ++number;
    }
    return number;
}

// Of the first that arrived after `command`.
double gapAfter(const std::vector<Arrival>& arrivals, Monotonic::time_point command) {
    const auto first =
        std::find_if(arrivals.begin(), arrivals.end(), [&](const Arrival& arrival) { return arrival.time >= command; });
    return first == arrivals.end() ? 1.0 : std::chrono::duration<double>(first->time - command).count();
}

}  // namespace

absl::StatusOr<Rebinding> rebind(Network& network, unsigned times) {
    HS_RETURN_IF_ERROR(network.plugMovedSliver());
    Receiver here(network.sliver);
    Receiver there(network.moved_sliver);
    HS_ASSIGN_OR_RETURN(const UniqueFd fd, openSocket(network.client, SOCK_DGRAM, kSliverAddress, kEchoPort));
    std::atomic<bool> stop = false;
    Rebinding result;
    std::thread sender([&] { result.sent = sendSteadily(fd.get(), stop); });
    std::vector<Monotonic::time_point> commands;
    absl::Status bound;
    for (unsigned i = 0; i < times && bound.ok(); ++i) {
        std::this_thread::sleep_for(kBetween);
        commands.push_back(Monotonic::now());
        network.home_agent_box.run([&] { bound = network.bindSliver(i % 2 == 0, 2 + i); });
    }
    std::this_thread::sleep_for(kBetween);
    stop = true;
    sender.join();
    std::this_thread::sleep_for(kBetween);
    HS_RETURN_IF_ERROR(bound);
    const std::vector<Arrival>& at_first = here.stop();
    const std::vector<Arrival>& at_second = there.stop();
    result.lost = result.sent - at_first.size() - at_second.size();
    for (size_t i = 0; i < commands.size(); ++i)
        result.first_packet.push_back(gapAfter(i % 2 == 0 ? at_second : at_first, commands[i]));
    return result;
}

}  // namespace homeslice::bench
