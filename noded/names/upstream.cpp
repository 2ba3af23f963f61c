#include "noded/names/upstream.h"

#include <ares.h>
#include <sys/epoll.h>
#include <sys/time.h>

#include "base/log.h"
#include "base/status.h"

namespace homeslice::names {
namespace {

constexpr int kTimeoutMs = 2000;
constexpr int kTries = 2;

class CaresUpstream final : public Upstream {
public:
    explicit CaresUpstream(Loop& loop) : loop_(loop) {}
    ~CaresUpstream() override {
        if (channel_ != nullptr) ares_destroy(channel_);
        if (initialized_) ares_library_cleanup();
    }
    CaresUpstream(const CaresUpstream&) = delete;
    CaresUpstream& operator=(const CaresUpstream&) = delete;

    absl::Status begin(const std::vector<std::string>& servers) {
        HS_RETURN_IF_ERROR(statusOf(ares_library_init(ARES_LIB_INIT_ALL)));
        initialized_ = true;
        ares_options options{};
        options.flags = ARES_FLAG_NOCHECKRESP;  // what they say, for the asker to judge
        options.timeout = kTimeoutMs;
        options.tries = kTries;
        options.sock_state_cb = onSocket;
        options.sock_state_cb_data = this;
        constexpr int kSet = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;
        HS_RETURN_IF_ERROR(statusOf(ares_init_options(&channel_, &options, kSet)));
        if (servers.empty()) return absl::OkStatus();
        std::string list;
        for (const std::string& server : servers) list += (list.empty() ? "" : ",") + server;
        return statusOf(ares_set_servers_ports_csv(channel_, list.c_str()));
    }

    void ask(const std::string& query, Done done) override {
        const auto* const bytes = reinterpret_cast<const unsigned char*>(query.data());
        ares_send(channel_, bytes, static_cast<int>(query.size()), onResponse, new Done(std::move(done)));
    }

    std::chrono::milliseconds timeout(std::chrono::milliseconds longest) override {
        timeval most{.tv_sec = longest.count() / 1000, .tv_usec = longest.count() % 1000 * 1000};
        timeval left{};
        const timeval* const chosen = ares_timeout(channel_, &most, &left);
        return std::chrono::milliseconds(chosen->tv_sec * 1000 + chosen->tv_usec / 1000 + 1);
    }

    void expire() override { ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD); }

private:
    static absl::Status statusOf(int code) {
        return code == ARES_SUCCESS ? absl::OkStatus() : unavailable(std::string("c-ares: ") + ares_strerror(code));
    }

    static void onResponse(void* argument, int /*status*/, int /*timeouts*/, unsigned char* bytes, int size) {
        const std::unique_ptr<Done> done(static_cast<Done*>(argument));
        (*done)(bytes == nullptr ? "" : std::string(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size)));
    }

    static void onSocket(void* self, ares_socket_t fd, int readable, int writable) {
        static_cast<CaresUpstream*>(self)->follow(fd, readable != 0, writable != 0);
    }
    void follow(int fd, bool readable, bool writable) {
        if (!readable && !writable) return loop_.remove(fd);
        const uint32_t events = (readable ? EPOLLIN : 0U) | (writable ? EPOLLOUT : 0U);
        const absl::Status status = loop_.watch(fd, events, [this, fd](uint32_t seen) {
            ares_process_fd(channel_, (seen & ~uint32_t{EPOLLOUT}) != 0 ? fd : ARES_SOCKET_BAD,
                            (seen & EPOLLOUT) != 0 ? fd : ARES_SOCKET_BAD);
        });
        if (!status.ok()) logWarning("name server: {}", messageOf(status));
    }

    Loop& loop_;
    bool initialized_ = false;
    ares_channel channel_ = nullptr;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Upstream>> Upstream::open(const std::vector<std::string>& servers, Loop& loop) {
    auto upstream = std::make_unique<CaresUpstream>(loop);
    HS_RETURN_IF_ERROR(upstream->begin(servers));
    return upstream;
}

}  // namespace homeslice::names
