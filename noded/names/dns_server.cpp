#include "noded/names/dns_server.h"

#include <sys/epoll.h>

#include <atomic>
#include <map>
#include <mutex>
#include <thread>

#include "base/status.h"
#include "noded/names/dns_sockets.h"
#include "noded/names/loop.h"
#include "noded/names/rate_limit.h"
#include "noded/names/tcp_connections.h"
#include "noded/names/upstream.h"

namespace homeslice::names {
namespace {

constexpr std::chrono::milliseconds kTick{1000};
constexpr int kMostDatagramsAtOnce = 64;  // then connections get their turn
// Questions that wait for a name server: of all, and of one asker.
constexpr size_t kMostForwarded = 512;
constexpr size_t kMostForwardedOfOne = 64;
// Of two datagrams too many one is answered "come back by TCP": for a victim whose address others use.
constexpr uint64_t kSlip = 2;

// Where the reply goes.
using Send = std::function<void(const std::string& reply)>;

class LoopServer final : public DnsServer {
public:
    LoopServer(const Config& config, Loop loop, UniqueFd udp, UniqueFd tcp)
        : config_(config),
          loop_(std::move(loop)),
          udp_(std::move(udp)),
          tcp_(std::move(tcp)),
          port_(portOf(udp_.get())),
          rate_(config.rate, config.burst),
          connections_(loop_, [this](uint64_t id, const Ipv6Address& peer, const std::string& query) {
              return takeFromConnection(id, peer, query);
          }) {}
    ~LoopServer() override {
        stopping_ = true;
        loop_.wake();
        if (thread_.joinable()) thread_.join();
    }
    LoopServer(const LoopServer&) = delete;
    LoopServer& operator=(const LoopServer&) = delete;

    absl::Status begin() {
        HS_RETURN_IF_ERROR(loop_.watch(udp_.get(), EPOLLIN, [this](uint32_t) { takeDatagrams(); }));
        HS_RETURN_IF_ERROR(loop_.watch(tcp_.get(), EPOLLIN, [this](uint32_t) { acceptConnections(); }));
        if (config_.forwards) {
            HS_ASSIGN_OR_RETURN(upstream_, Upstream::open(config_.name_servers, loop_));
        }
        thread_ = std::thread([this] { run(); });
        return absl::OkStatus();
    }

    void setRecords(std::shared_ptr<const Records> records) override {
        const std::lock_guard lock(mutex_);
        records_ = std::move(records);
    }
    uint16_t port() const override { return port_; }

private:
    void run() {
        while (!stopping_) {
            loop_.runOnce(upstream_ ? upstream_->timeout(kTick) : kTick);
            if (upstream_) upstream_->expire();
            connections_.expire(Monotonic::now());
        }
        upstream_.reset();  // what it still owes goes to connections that are there
    }

    std::shared_ptr<const Records> records() {
        const std::lock_guard lock(mutex_);
        return records_;
    }

    bool mayAsk(const Ipv6Address& peer) const { return config_.askers.length() == 0 || config_.askers.contains(peer); }

    // A site may use all of its /64; a sliver has one address.
    Ipv6Address askerOf(const Ipv6Address& peer) const {
        static const Ipv6Prefix kIpv4(Ipv6Address::parse("::ffff:0:0").value_or(Ipv6Address()), 96);
        return config_.audience == Audience::slivers || kIpv4.contains(peer) ? peer : peer.withInterfaceId(0);
    }

    void takeDatagrams() {
        for (int i = 0; i < kMostDatagramsAtOnce; ++i) {
            std::optional<Datagram> datagram = receive(udp_.get());
            if (!datagram) return;
            const Ipv6Address peer = datagram->asker();
            if (datagram->data.empty() || !mayAsk(peer)) continue;
            const std::string query = std::move(datagram->data);
            Send reply = [this, to = *std::move(datagram)](const std::string& message) mutable {
                to.data = message;
                send(udp_.get(), to);
            };
            if (rate_.allow(askerOf(peer), Monotonic::now())) {
                take(query, peer, Transport::udp, reply);
            } else if (config_.audience == Audience::outsiders && ++too_many_ % kSlip == 0) {
                if (const std::string message = truncated(query); !message.empty()) reply(message);
            }
        }
    }

    void acceptConnections() {
        while (true) {
            sockaddr_in6 name{};
            socklen_t size = sizeof name;
            UniqueFd fd(::accept4(tcp_.get(), reinterpret_cast<sockaddr*>(&name), &size, SOCK_CLOEXEC | SOCK_NONBLOCK));
            if (!fd) return;
            const Ipv6Address peer(name.sin6_addr);
            if (mayAsk(peer)) connections_.add(std::move(fd), peer, askerOf(peer), Monotonic::now());
        }
    }

    // Whether the connection may stay.
    bool takeFromConnection(uint64_t id, const Ipv6Address& peer, const std::string& query) {
        if (!rate_.allow(askerOf(peer), Monotonic::now())) return false;
        take(query, peer, Transport::tcp, [this, id](const std::string& reply) { connections_.send(id, reply); });
        return true;
    }

    void take(const std::string& query, const Ipv6Address& peer, Transport transport, const Send& send) {
        const auto records = this->records();
        const Reply reply = records ? answer(*records, query, config_.audience, transport)
                                    : Reply{.verdict = Verdict::answer, .message = serverFailure(query)};
        switch (reply.verdict) {
            case Verdict::ignore:
                return;
            case Verdict::answer:
                if (!reply.message.empty()) send(reply.message);
                return;
            case Verdict::forward:
                return forward(query, peer, transport, send);
        }
    }

    void forward(const std::string& query, const Ipv6Address& peer, Transport transport, const Send& send) {
        if (!upstream_) return send(refusal(query));
        size_t& of_one = forwarded_[peer];
        if (waiting_ >= kMostForwarded || of_one >= kMostForwardedOfOne) return send(serverFailure(query));
        ++of_one;
        ++waiting_;
        upstream_->ask(query, [this, query, peer, transport, send](const std::string& response) {
            --waiting_;
            if (const auto entry = forwarded_.find(peer); --entry->second == 0) forwarded_.erase(entry);
            const std::string reply = response.empty() ? serverFailure(query) : passOn(response, query, transport);
            if (!reply.empty()) send(reply);
        });
    }

    const Config config_;
    Loop loop_;
    const UniqueFd udp_;
    const UniqueFd tcp_;
    const uint16_t port_;
    std::atomic<bool> stopping_{false};

    // The thread's own.
    RateLimit rate_;
    uint64_t too_many_ = 0;
    TcpConnections connections_;
    size_t waiting_ = 0;
    std::map<Ipv6Address, size_t> forwarded_;  // that wait, by asker
    std::unique_ptr<Upstream> upstream_;

    std::mutex mutex_;
    std::shared_ptr<const Records> records_;
    std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<DnsServer>> DnsServer::start(const Config& config) {
    HS_ASSIGN_OR_RETURN(Loop loop, Loop::open());
    HS_ASSIGN_OR_RETURN(UniqueFd udp, openUdp(config.address, config.port));
    HS_ASSIGN_OR_RETURN(UniqueFd tcp, openTcp(config.address, portOf(udp.get())));
    auto server = std::make_unique<LoopServer>(config, std::move(loop), std::move(udp), std::move(tcp));
    HS_RETURN_IF_ERROR(server->begin());
    return server;
}

}  // namespace homeslice::names
