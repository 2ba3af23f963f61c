#include "updates.h"

#include <grpcpp/grpcpp.h>
#include <stdlib.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/defer.h"
#include "base/file.h"
#include "base/names.h"
#include "base/status.h"
#include "noded/api/binding_service.h"
#include "noded/api/binding_transport.h"
#include "noded/api/server.h"
#include "pki/certificate.h"
#include "pki/files.h"
#include "pki/grant.h"
#include "shell.h"

namespace homeslice::bench {
namespace {

using mobility::BindingAcknowledgement;
using mobility::BindingStatus;
using mobility::BindingUpdate;

constexpr unsigned kNodes = 4;
constexpr size_t kBatch = 2500;  // of one node, which has some thousand addresses at most
constexpr std::chrono::seconds kPatience{60};
constexpr int kShortestPingIntervalMs = 500;
const char* const kAddress = "fd00:51ce:f::1";  // of the home agent and of all nodes: the benchmark's own
const char* const kGrantKey = "of the benchmark";
const char* const kNet = "fd51:1ce:0:fff0::";

Ipv6Address parsed(const char* text) { return Ipv6Address::parse(text).value_or(Ipv6Address()); }

// A machine's certificate, in a directory of its own below `root`.
absl::StatusOr<std::shared_ptr<tls::Credentials>> credentialsOf(const pki::Authority& authority,
                                                                const std::string& root, const std::string& name) {
    HS_ASSIGN_OR_RETURN(const pki::KeyHandle key, pki::generateKey());
    HS_ASSIGN_OR_RETURN(const pki::Certificate certificate,
                        authority.issue(key, {pki::Kind::node, name, randomId()}, std::chrono::hours(1)));
    HS_ASSIGN_OR_RETURN(const std::string key_pem, pki::toPem(key));
    const std::string directory = root + "/" + name;
    HS_RETURN_IF_ERROR(
        pki::writeCredentials(directory, {authority.certificate().toPem(), key_pem, certificate.toPem()}));
    return tls::Credentials::open(directory);
}

// The home agent's side: BindingService alone, by TLS.
class Agent {
public:
    static absl::StatusOr<std::unique_ptr<Agent>> serve(mobility::HomeAgent& home_agent, mobility::Forwarder& forwarder,
                                                        const tls::Credentials& credentials) {
        std::unique_ptr<Agent> agent(new Agent);
        HS_ASSIGN_OR_RETURN(agent->loop_, api::IoLoop::start());
        agent->grants_.setKeys(kGrantKey, {});
        agent->service_ = std::make_unique<api::BindingService>(api::BindingService::Parts{.home_agent = home_agent,
                                                                                           .grants = agent->grants_,
                                                                                           .forwarder = forwarder,
                                                                                           .loop = *agent->loop_,
                                                                                           .workers = agent->workers_});
        grpc::ServerBuilder builder;
        builder.AddListeningPort("[" + std::string(kAddress) + "]:0",
                                 credentials.forServer(tls::ClientCertificate::required), &agent->port_);
        // As noded's server: its clients ping often, which gRPC takes for an attack unless told.
        builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
        builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kShortestPingIntervalMs);
        builder.RegisterService(agent->service_.get());
        agent->server_ = builder.BuildAndStart();
        if (!agent->server_ || agent->port_ == 0)
            return unavailable("gRPC does not listen on " + std::string(kAddress));
        return agent;
    }
    ~Agent() {
        if (server_) server_->Shutdown(std::chrono::system_clock::now() + std::chrono::milliseconds(200));
    }
    uint16_t port() const { return static_cast<uint16_t>(port_); }

private:
    Agent() = default;
    std::unique_ptr<api::IoLoop> loop_;
    api::GrantCheck grants_;
    api::Workers workers_{1};
    std::unique_ptr<api::BindingService> service_;
    int port_ = 0;
    std::unique_ptr<grpc::Server> server_;
};

// What all nodes have been told so far.
class Tally {
public:
    void connected() {
        const std::lock_guard lock(mutex_);
        ++connected_;
        changed_.notify_all();
    }
    void acknowledged(const BindingAcknowledgement& acknowledgement) {
        const std::lock_guard lock(mutex_);
        if (acknowledgement.status != BindingStatus::accepted) refused_ = mobility::nameOf(acknowledgement.status);
        ++acknowledged_;
        if (acknowledged_ >= awaited_) changed_.notify_all();
    }
    absl::Status awaitConnections(unsigned count) {
        std::unique_lock lock(mutex_);
        const bool all = changed_.wait_for(lock, kPatience, [&] { return connected_ >= count; });
        return all ? absl::OkStatus() : internalError("the home agent was not reached");
    }
    absl::Status awaitAcknowledgements(uint64_t count) {
        std::unique_lock lock(mutex_);
        awaited_ = count;
        const bool all = changed_.wait_for(lock, kPatience, [&] { return acknowledged_ >= count; });
        if (!refused_.empty()) return internalError("a binding update was refused: " + refused_);
        return all ? absl::OkStatus() : internalError("binding updates stayed without an answer");
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    unsigned connected_ = 0;
    uint64_t acknowledged_ = 0;
    uint64_t awaited_ = 0;
    std::string refused_;
};

struct Node {
    std::unique_ptr<mobility::BindingTransport> transport;
    std::vector<BindingUpdate> updates;
};

std::vector<BindingUpdate> updatesOf(const std::string& node, unsigned first, unsigned count) {
    std::vector<BindingUpdate> updates;
    for (unsigned i = 0; i < count; ++i) {
        const mobility::BindingKey key{.home_address = parsed(kNet).withInterfaceId(first + i), .binding_id = 0};
        updates.push_back({.key = key,
                           .care_of_address = parsed(kAddress),
                           .sequence = 1,
                           .generation = 1,
                           .lifetime_s = 3600,
                           .proof = pki::grantOf(kGrantKey, {node, key.home_address, key.binding_id, 1})});
    }
    return updates;
}

// All updates of all nodes, in batches of a node's size, each acknowledged before the next.
absl::StatusOr<double> rateOf(std::vector<Node>& nodes, Tally& tally, uint64_t acknowledged) {
    const size_t each = nodes.front().updates.size();
    const auto begin = Monotonic::now();
    for (size_t first = 0; first < each; first += kBatch) {
        const size_t end = std::min(first + kBatch, each);
        for (const Node& node : nodes)
            for (size_t i = first; i < end; ++i) node.transport->send(node.updates[i]);
        acknowledged += nodes.size() * (end - first);
        HS_RETURN_IF_ERROR(tally.awaitAcknowledgements(acknowledged));
    }
    return static_cast<double>(nodes.size() * each) / std::chrono::duration<double>(Monotonic::now() - begin).count();
}

absl::StatusOr<UpdateRates> measure(Network& network, const std::string& directory, unsigned count) {
    HS_ASSIGN_OR_RETURN(const pki::Authority authority, pki::Authority::create());
    HS_ASSIGN_OR_RETURN(const auto agent_credentials, credentialsOf(authority, directory, "agent"));
    HS_ASSIGN_OR_RETURN(const auto agent,
                        Agent::serve(*network.home_agent, *network.home_agent_forwarder, *agent_credentials));
    Tally tally;
    std::vector<Node> nodes(kNodes);
    for (unsigned i = 0; i < kNodes; ++i) {
        const std::string name = "node" + std::to_string(i);
        HS_ASSIGN_OR_RETURN(auto credentials, credentialsOf(authority, directory, name));
        nodes[i].updates = updatesOf(name, 1 + i * (count / kNodes), count / kNodes);
        nodes[i].transport = api::bindingTransports(std::move(credentials))(
            {.address = parsed(kAddress), .api_port = agent->port()},
            {.connected = [&tally] { tally.connected(); },
             .acknowledged = [&tally](const auto& acknowledgement) { tally.acknowledged(acknowledgement); },
             .event = [](const auto&) {},
             .watching = [] {}});
    }
    HS_RETURN_IF_ERROR(tally.awaitConnections(kNodes));
    UpdateRates rates;
    HS_ASSIGN_OR_RETURN(rates.registrations, rateOf(nodes, tally, 0));
    for (Node& node : nodes)
        for (BindingUpdate& update : node.updates) ++update.sequence;
    HS_ASSIGN_OR_RETURN(rates.refreshes, rateOf(nodes, tally, uint64_t{count} / kNodes * kNodes));
    return rates;
}

}  // namespace

absl::StatusOr<UpdateRates> acceptedUpdates(Network& network, unsigned count) {
    api::redirectGrpcLog();
    HS_RETURN_IF_ERROR(shell("ip link set lo up && ip -6 address add " + std::string(kAddress) + "/128 dev lo nodad"));
    std::string directory = "/run/homeslice-bench-pki-XXXXXX";
    if (::mkdtemp(directory.data()) == nullptr) return errnoStatus(errno, "make " + directory);
    const Defer remove([&] { removeTree(directory).IgnoreError(); });
    return measure(network, directory, count);
}

}  // namespace homeslice::bench
