// Over real sockets, on the loopback address.
#include "noded/names/dns_server.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstring>
#include <thread>

#include "base/status.h"
#include "noded/names/dns_sockets.h"
#include "noded/names/test_table.h"

namespace homeslice::names {
namespace {

const char* const kLoopback = "::1";
constexpr int kPatienceMs = 10'000;
constexpr int kSilenceMs = 100;

class Client {
public:
    Client(int type, uint16_t port) : fd_(::socket(AF_INET6, type | SOCK_CLOEXEC, 0)) {
        sockaddr_in6 name{};
        name.sin6_family = AF_INET6;
        name.sin6_port = htons(port);
        name.sin6_addr = in6addr_loopback;
        EXPECT_EQ(::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name), 0) << strerror(errno);
    }
    void send(const std::string& bytes) const { ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL); }
    // One read's worth; "" at the end of file, or when nothing comes.
    std::string receive(int patience_ms = kPatienceMs) const {
        pollfd waited{.fd = fd_.get(), .events = POLLIN, .revents = 0};
        if (::poll(&waited, 1, patience_ms) != 1) return "";
        std::string buffer(65536, '\0');
        const ssize_t size = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
        return buffer.substr(0, size < 0 ? 0 : static_cast<size_t>(size));
    }
    bool isClosed() const {
        pollfd waited{.fd = fd_.get(), .events = POLLIN, .revents = 0};
        return ::poll(&waited, 1, kPatienceMs) == 1 && receive().empty();
    }

private:
    UniqueFd fd_;
};

std::string withLength(const std::string& message) {
    return std::string(1, static_cast<char>(message.size() >> 8)) + static_cast<char>(message.size() & 0xff) + message;
}

std::string query(const std::string& name) { return wireOf(makeQuery(name, LDNS_RR_TYPE_AAAA).get()); }

// A name server of the node's, which answers as it is told to.
class NameServer {
public:
    explicit NameServer(std::function<std::string(const std::string&)> reply)
        : udp_(openUdp(addressOf(kLoopback), 0).value()), reply_(std::move(reply)), thread_([this] { serve(); }) {}
    ~NameServer() {
        stopping_ = true;
        thread_.join();
    }
    std::string name() const { return "[::1]:" + std::to_string(portOf(udp_.get())); }

private:
    void serve() {
        while (!stopping_) {
            pollfd waited{.fd = udp_.get(), .events = POLLIN, .revents = 0};
            if (::poll(&waited, 1, 20) != 1) continue;
            auto datagram = names::receive(udp_.get());
            if (!datagram) continue;
            datagram->data = reply_(datagram->data);
            if (!datagram->data.empty()) names::send(udp_.get(), *datagram);
        }
    }

    UniqueFd udp_;
    const std::function<std::string(const std::string&)> reply_;
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

class DnsServerTest : public testing::Test {
protected:
    void start(DnsServer::Config config) {
        config.address = addressOf(kLoopback);
        config.port = 0;
        auto started = DnsServer::start(config);
        ASSERT_TRUE(started.ok()) << messageOf(started.status());
        server_ = std::move(started).value();
        server_->setRecords(std::make_shared<const Records>(exampleTable()));
    }
    DnsServer::Config forSlivers(const std::string& name_server) {
        return {.address = {},
                .audience = Audience::slivers,
                .askers = {},
                .forwards = true,
                .name_servers = {name_server},
                .rate = 1000,
                .burst = 1000};
    }
    std::string askUdp(const std::string& name) const {
        const Client client(SOCK_DGRAM, server_->port());
        client.send(query(name));
        return firstOf(ldns_pkt_answer(parsed(client.receive()).get()));
    }

    std::unique_ptr<DnsServer> server_;
};

TEST_F(DnsServerTest, AnswersByUdpAndByTcp) {
    start({.address = {}, .askers = {}, .name_servers = {}});
    EXPECT_EQ(askUdp("2.web.slivers.internal."), "IN AAAA fd51:1ce:0:1::1:2");
    const Client client(SOCK_STREAM, server_->port());
    client.send(withLength(query("web.slivers.internal.")));
    const std::string reply = client.receive();
    ASSERT_GT(reply.size(), 2U);
    EXPECT_EQ(firstOf(ldns_pkt_answer(parsed(reply.substr(2)).get())), "IN AAAA fd51:1ce:0:1::1");
}

TEST_F(DnsServerTest, ConnectionsCarrySeveralQuestionsInAnyPieces) {
    start({.address = {}, .askers = {}, .name_servers = {}});
    const Client client(SOCK_STREAM, server_->port());
    const std::string both = withLength(query("web.slivers.internal.")) + withLength(query("db.slivers.internal."));
    client.send(both.substr(0, 1));
    client.send(both.substr(1, 40));
    client.send(both.substr(41));
    std::string replies;
    for (std::string piece; replies.size() < 100 && !(piece = client.receive()).empty();) replies += piece;
    const size_t first = static_cast<uint8_t>(replies[0]) * 256U + static_cast<uint8_t>(replies[1]);
    EXPECT_EQ(firstOf(ldns_pkt_answer(parsed(replies.substr(2, first)).get())), "IN AAAA fd51:1ce:0:1::1");
    EXPECT_EQ(firstOf(ldns_pkt_answer(parsed(replies.substr(first + 4)).get())), "IN AAAA fd51:1ce:0:2::1");
}

TEST_F(DnsServerTest, NewRecordsCountFromTheNextQuestionOn) {
    start({.address = {}, .askers = {}, .name_servers = {}});
    EXPECT_EQ(askUdp("db.slivers.internal."), "IN AAAA fd51:1ce:0:2::1");
    NameTable table = exampleTable();
    table.slices.erase(table.slices.begin());
    server_->setRecords(std::make_shared<const Records>(table));
    EXPECT_EQ(askUdp("db.slivers.internal."), "");
}

TEST_F(DnsServerTest, WhoAsksTooMuchIsToldToComeBackByTcpOrHearsNothing) {
    start({.address = {}, .askers = {}, .name_servers = {}, .rate = 0.001, .burst = 1});
    const Client client(SOCK_DGRAM, server_->port());
    client.send(query("web.slivers.internal."));
    EXPECT_FALSE(ldns_pkt_tc(parsed(client.receive()).get()));
    for (int i = 0; i < 10; ++i) client.send(query("web.slivers.internal."));
    int truncated = 0;
    for (std::string reply; !(reply = client.receive(kSilenceMs)).empty(); ++truncated) {
        EXPECT_TRUE(ldns_pkt_tc(parsed(reply).get()));
    }
    EXPECT_LE(truncated, 5);
}

TEST_F(DnsServerTest, ConnectionsThatAbuseItEndAndOthersGoOn) {
    start({.address = {}, .askers = {}, .name_servers = {}});
    const Client too_long(SOCK_STREAM, server_->port());
    too_long.send("\xff\xff" + std::string(100, 'x'));
    EXPECT_TRUE(too_long.isClosed());
    std::vector<std::unique_ptr<Client>> idle;
    for (int i = 0; i < 40; ++i) idle.push_back(std::make_unique<Client>(SOCK_STREAM, server_->port()));
    EXPECT_TRUE(idle.front()->isClosed()) << "one asker has a number of connections";
    EXPECT_EQ(askUdp("web.slivers.internal."), "IN AAAA fd51:1ce:0:1::1");
    const Client fine(SOCK_STREAM, server_->port());
    fine.send(withLength(query("web.slivers.internal.")));
    EXPECT_GT(fine.receive().size(), 2U);
}

TEST_F(DnsServerTest, StrangersHearNothing) {
    start({.address = {}, .askers = Ipv6Prefix::parse("fd51:1ce::/48").value(), .name_servers = {}});
    const Client client(SOCK_DGRAM, server_->port());
    client.send(query("web.slivers.internal."));
    EXPECT_EQ(client.receive(kSilenceMs), "");
    EXPECT_TRUE(Client(SOCK_STREAM, server_->port()).isClosed());
}

TEST_F(DnsServerTest, TheRestIsForwardedAndComesBackAsItWas) {
    const NameServer upstream([](const std::string& asked) {
        const Message message = parsed(asked);
        ldns_pkt_set_qr(message.get(), true);
        ldns_rr* record = nullptr;
        ldns_rr_new_frm_str(&record, "example.com. 60 IN AAAA 2001:db8::80", 0, nullptr, nullptr);
        ldns_pkt_push_rr(message.get(), LDNS_SECTION_ANSWER, record);
        return wireOf(message.get());
    });
    start(forSlivers(upstream.name()));
    EXPECT_EQ(askUdp("example.com."), "IN AAAA 2001:db8::80");
    const Client client(SOCK_STREAM, server_->port());
    client.send(withLength(query("example.com.")));
    EXPECT_EQ(ldns_pkt_id(parsed(client.receive().substr(2)).get()), 4711);
}

TEST_F(DnsServerTest, WithoutANameServerItSaysSo) {
    start(forSlivers("[::1]:1"));
    const Client client(SOCK_DGRAM, server_->port());
    client.send(query("example.com."));
    EXPECT_EQ(ldns_pkt_get_rcode(parsed(client.receive()).get()), LDNS_RCODE_SERVFAIL);
    DnsServer::Config alone = forSlivers("");
    alone.forwards = false;
    start(alone);
    const Client refused(SOCK_DGRAM, server_->port());
    refused.send(query("example.com."));
    EXPECT_EQ(ldns_pkt_get_rcode(parsed(refused.receive()).get()), LDNS_RCODE_REFUSED);
}

// One that asks for names nobody answers for has a number of them waiting, and keeps nobody from what is ours.
TEST_F(DnsServerTest, ASilentNameServerHoldsNobodyUp) {
    const NameServer silent([](const std::string&) { return std::string(); });
    start(forSlivers(silent.name()));
    const Client client(SOCK_DGRAM, server_->port());
    for (int i = 0; i < 100; ++i) client.send(query("h" + std::to_string(i) + ".example.com."));
    EXPECT_EQ(ldns_pkt_get_rcode(parsed(client.receive()).get()), LDNS_RCODE_SERVFAIL) << "more than may wait";
    EXPECT_EQ(askUdp("web.slivers.internal."), "IN AAAA fd51:1ce:0:1::1");
}

}  // namespace
}  // namespace homeslice::names
