#include "noded/mobility/binding_errors.h"

#include <bpf/libbpf.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

#include "base/ipv4.h"
#include "base/log.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "noded/mobility/binding_error_message.h"
#include "noded/mobility/bpf/stray.h"
#include "noded/mobility/programs.h"
#include "noded/mobility/raw_name.h"

namespace homeslice::mobility {
namespace {

constexpr size_t kMostMessage = 256;  // longer ones are none of ours

absl::StatusOr<UniqueFd> openSocket(const Ipv6Address& self) {
    const RawName name(self);
    UniqueFd fd(::socket(name.family(), SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, kMobilityHeader));
    if (!fd) return errnoStatus(errno, "socket(mobility header)");
    if (::bind(fd.get(), name.generic(), name.size()) == 0) return fd;
    return errnoStatus(errno, "bind(" + addressText(self) + ")");
}

struct FreeRing {
    void operator()(ring_buffer* ring) const { ring_buffer__free(ring); }
};

class Exchange final : public BindingErrors {
public:
    Exchange(UniqueFd socket, UniqueFd stop, Heard heard)
        : socket_(std::move(socket)), stop_(std::move(stop)), heard_(std::move(heard)) {}
    ~Exchange() override {
        const uint64_t one = 1;
        [[maybe_unused]] const ssize_t n = ::write(stop_.get(), &one, sizeof one);
        if (thread_.joinable()) thread_.join();
    }
    Exchange(const Exchange&) = delete;
    Exchange& operator=(const Exchange&) = delete;

    absl::Status begin(int strays) {
        ring_.reset(ring_buffer__new(strays, onStray, this, nullptr));
        if (!ring_) return errnoStatus(errno, "ring buffer of strays");
        thread_ = std::thread([this] { run(); });
        return absl::OkStatus();
    }

private:
    void run() {
        std::array<pollfd, 3> waited{pollfd{.fd = stop_.get(), .events = POLLIN, .revents = 0},
                                     pollfd{.fd = ring_buffer__epoll_fd(ring_.get()), .events = POLLIN, .revents = 0},
                                     pollfd{.fd = socket_.get(), .events = POLLIN, .revents = 0}};
        while (waited[0].revents == 0) {
            if (::poll(waited.data(), waited.size(), -1) < 0) continue;
            if (waited[1].revents != 0) ring_buffer__consume(ring_.get());
            if (waited[2].revents != 0) receive();
        }
    }

    static int onStray(void* self, void* data, size_t size) {
        hs_stray stray{};
        if (size < sizeof stray) return 0;
        std::memcpy(&stray, data, sizeof stray);
        static_cast<Exchange*>(self)->answer(fromWire(stray.sender), fromWire(stray.home_address));
        return 0;
    }

    void answer(const Ipv6Address& sender, const Ipv6Address& home_address) const {
        const std::string message = encodeBindingError(home_address);
        const RawName to(sender);
        const ssize_t sent =
            ::sendto(socket_.get(), message.data(), message.size(), MSG_NOSIGNAL, to.generic(), to.size());
        // The next stray packet tries again.
        if (sent < 0) logDebug("Binding Error to {}: {}", addressText(sender), std::strerror(errno));
    }

    void receive() const {
        std::array<char, kMostMessage> buffer;
        sockaddr_storage from{};
        socklen_t size = sizeof from;
        const ssize_t got =
            ::recvfrom(socket_.get(), buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
        if (got < 0) return;
        const RawMessage message = rawMessageOf(from, std::string(buffer.data(), static_cast<size_t>(got)));
        if (const auto home_address = decodeBindingError(message.text)) heard_(*home_address, message.sender);
    }

    const UniqueFd socket_;
    const UniqueFd stop_;
    const Heard heard_;
    std::unique_ptr<ring_buffer, FreeRing> ring_;
    std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<BindingErrors>> BindingErrors::start(const Forwarder& forwarder, const Ipv6Address& self,
                                                                    Heard heard) {
    HS_ASSIGN_OR_RETURN(UniqueFd socket, openSocket(self));
    UniqueFd stop(::eventfd(0, EFD_CLOEXEC));
    if (!stop) return errnoStatus(errno, "eventfd");
    auto exchange = std::make_unique<Exchange>(std::move(socket), std::move(stop), std::move(heard));
    HS_RETURN_IF_ERROR(exchange->begin(forwarder.strays()));
    return exchange;
}

}  // namespace homeslice::mobility
