#include "noded/mobility/keepalive_client.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include <array>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "base/ipv4.h"
#include "base/log.h"
#include "base/nat.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "noded/mobility/bpf/layout.h"
#include "noded/mobility/keepalive_message.h"
#include "noded/mobility/udp_socket.h"

namespace homeslice::mobility {
namespace {

constexpr std::chrono::milliseconds kPatience{500};  // for an answer
constexpr std::chrono::milliseconds kRetry{1000};    // of what a home agent refuses
constexpr int kMostUnanswered = 4;                   // then it gets a new key: it may have been restarted

std::string randomKey() {
    std::string key(kKeepaliveKeySize, '\0');
    while (::getrandom(key.data(), key.size(), 0) != static_cast<ssize_t>(key.size())) continue;
    return key;
}

// With one home agent.
class Session {
public:
    Session(const KeepaliveClient::Config& config, const KeepaliveClient::SetKey& set_key,
            const HomeAgentAddress& home_agent)
        : config_(config), set_key_(set_key), home_agent_(home_agent), stop_(::eventfd(0, EFD_CLOEXEC)) {
        thread_ = std::thread([this] { run(); });
    }
    ~Session() {
        const uint64_t one = 1;
        [[maybe_unused]] const ssize_t n = ::write(stop_.get(), &one, sizeof one);
        thread_.join();
    }
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    std::optional<UdpEndpoint> seen() {
        const std::lock_guard lock(mutex_);
        return seen_;
    }

private:
    void run() {
        do {
            const absl::Status ended = converse();
            if (!ended.ok() && std::exchange(said_, messageOf(ended)) != messageOf(ended))
                logWarning("keepalives to {}: {}", addressText(home_agent_.address), messageOf(ended));
            note(std::nullopt);
        } while (!isStoppedWithin(kRetry));
    }

    // Until the home agent answers no more.
    absl::Status converse() {
        HS_ASSIGN_OR_RETURN(const UniqueFd socket, openUdp(beforeNat(config_.care_of_address), home_agent_.address));
        const std::string key = randomKey();
        HS_RETURN_IF_ERROR(set_key_(home_agent_, key));
        int unanswered = 0;
        for (uint64_t sequence = 1; unanswered < kMostUnanswered; ++sequence) {
            const auto begin = Monotonic::now();
            sendUdp(socket.get(), encodeKeepalive({config_.care_of_address, sequence}, key), peer());
            const auto answer = awaitAnswer(socket.get(), key, sequence, begin + kPatience);
            unanswered = answer ? 0 : unanswered + 1;
            if (answer) note(answer);
            const auto next = answer ? begin + config_.interval : begin + kPatience;
            if (isStoppedWithin(std::chrono::ceil<std::chrono::milliseconds>(next - Monotonic::now())))
                return absl::OkStatus();
        }
        return deadlineExceeded("no answer by UDP; does a firewall drop port " + std::to_string(HS_UDP_TUNNEL_PORT) +
                                "?");
    }

    UdpEndpoint peer() const { return {.address = home_agent_.address, .port = HS_UDP_TUNNEL_PORT}; }

    std::optional<UdpEndpoint> awaitAnswer(int fd, const std::string& key, uint64_t sequence,
                                           Monotonic::time_point deadline) const {
        std::array<uint8_t, kKeepaliveSize> buffer{};
        while (waitFor(fd, deadline)) {
            const auto received = receiveUdp(fd, buffer);
            if (!received || received->size != kKeepaliveSize || !isSignedWith(buffer, key)) continue;
            const auto answer = decodeKeepalive(buffer);
            if (answer && answer->sequence == sequence && answer->seen) return answer->seen;
        }
        return std::nullopt;
    }

    // False at the deadline, and when the session is to end.
    bool waitFor(int fd, Monotonic::time_point deadline) const {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Monotonic::now());
        if (left.count() <= 0) return false;
        std::array<pollfd, 2> waited{pollfd{.fd = stop_.get(), .events = POLLIN, .revents = 0},
                                     pollfd{.fd = fd, .events = POLLIN, .revents = 0}};
        return ::poll(waited.data(), waited.size(), static_cast<int>(left.count())) > 0 && waited[0].revents == 0;
    }

    bool isStoppedWithin(std::chrono::milliseconds time) const {
        pollfd waited{.fd = stop_.get(), .events = POLLIN, .revents = 0};
        return ::poll(&waited, 1, static_cast<int>(std::max<int64_t>(time.count(), 0))) > 0;
    }

    void note(const std::optional<UdpEndpoint>& seen) {
        const std::lock_guard lock(mutex_);
        if (seen && seen_ != seen) {
            logInfo("{} sees this node at {}", addressText(home_agent_.address),
                    endpointText(seen->address, seen->port));
            said_.clear();
        }
        seen_ = seen;
    }

    const KeepaliveClient::Config config_;
    const KeepaliveClient::SetKey& set_key_;
    const HomeAgentAddress home_agent_;
    const UniqueFd stop_;
    std::string said_;  // the thread's own: what was complained of last
    std::mutex mutex_;
    std::optional<UdpEndpoint> seen_;
    std::thread thread_;
};

class UdpKeepaliveClient final : public KeepaliveClient {
public:
    UdpKeepaliveClient(const Config& config, SetKey set_key) : config_(config), set_key_(std::move(set_key)) {}

    void setHomeAgents(const std::vector<HomeAgentAddress>& home_agents) override {
        const std::lock_guard lock(mutex_);
        const std::set<HomeAgentAddress> wanted(home_agents.begin(), home_agents.end());
        std::erase_if(sessions_, [&](const auto& session) { return !wanted.contains(session.first); });
        for (const HomeAgentAddress& home_agent : wanted)
            if (!sessions_.contains(home_agent))
                sessions_[home_agent] = std::make_unique<Session>(config_, set_key_, home_agent);
    }

    std::map<HomeAgentAddress, std::optional<UdpEndpoint>> seen() override {
        const std::lock_guard lock(mutex_);
        std::map<HomeAgentAddress, std::optional<UdpEndpoint>> result;
        for (const auto& [home_agent, session] : sessions_) result[home_agent] = session->seen();
        return result;
    }

private:
    const Config config_;
    const SetKey set_key_;
    std::mutex mutex_;
    std::map<HomeAgentAddress, std::unique_ptr<Session>> sessions_;
};

}  // namespace

std::unique_ptr<KeepaliveClient> KeepaliveClient::create(const Config& config, SetKey set_key) {
    return std::make_unique<UdpKeepaliveClient>(config, std::move(set_key));
}

}  // namespace homeslice::mobility
