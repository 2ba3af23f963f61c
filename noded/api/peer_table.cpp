#include "noded/api/peer_table.h"

#include <grpcpp/security/auth_metadata_processor.h>

#include "base/log.h"
#include "base/status.h"
#include "noded/api/grpc_status.h"

namespace homeslice::api {
namespace {

const std::string kBindings = "/homeslice.v1.BindingService/";
const std::string kWatchBindings = kBindings + "Watch";
const std::string kWatchFlows = kBindings + "WatchFlows";
const std::string kExportDisk = "/homeslice.v1.NodeService/ExportDisk";

// Commands, logs and the debug dump are the controller's to ask for, for it knows the users; bindings and disks are a
// matter of nodes. The controller looks at the bindings for its users.
bool isForNodes(const std::string& method) { return method.starts_with(kBindings) || method == kExportDisk; }
bool isForController(const std::string& method) { return !isForNodes(method) || method == kWatchBindings; }

}  // namespace

// gRPC asks it before a handler sees the call.
class PeerTable::Check : public grpc::AuthMetadataProcessor {
public:
    explicit Check(const PeerTable& table) : table_(table) {}

    bool IsBlocking() const override { return false; }
    grpc::Status Process(const InputMetadata& metadata, grpc::AuthContext* context, OutputMetadata* /*consumed*/,
                         OutputMetadata* /*response*/) override {
        const auto path = metadata.find(":path");
        const std::string method = path == metadata.end() ? "" : std::string(path->second.data(), path->second.size());
        const auto peer = tls::peerOf(*context);
        const absl::Status allowed = peer.ok() ? table_.check(peer->identity, method) : peer.status();
        if (!allowed.ok()) logWarning("{}", messageOf(allowed));
        return toGrpc(allowed);
    }

private:
    const PeerTable& table_;
};

void PeerTable::set(const std::map<std::string, std::string>& enrolments, const std::set<std::string>& home_agents) {
    {
        const std::lock_guard lock(mutex_);
        enrolments_ = enrolments;
        home_agents_ = home_agents;
    }
    review();
}

void PeerTable::setDiskReaders(const std::map<SliverId, std::string>& readers) {
    const std::lock_guard lock(mutex_);
    disk_readers_ = readers;
}

void PeerTable::review() {
    open_calls_.keepOnly([this](const pki::Identity& peer) { return counts(peer); });
}

bool PeerTable::counts(const pki::Identity& peer) const {
    if (peer.kind == pki::Kind::controller) return true;
    const std::lock_guard lock(mutex_);
    const auto found = enrolments_.find(peer.name);
    return peer.kind == pki::Kind::node && found != enrolments_.end() && found->second == peer.enrolment;
}

bool PeerTable::mayBeHomeAgent(const std::string& node) const {
    const std::lock_guard lock(mutex_);
    return home_agents_.contains(node);
}

absl::Status PeerTable::check(const pki::Identity& peer, const std::string& method) const {
    if (!counts(peer)) return permissionDenied(describe(peer) + " is not known here, or was revoked");
    bool allowed = peer.kind == pki::Kind::controller ? isForController(method) : isForNodes(method);
    // Who talks to whom is nobody else's business.
    if (method == kWatchFlows) allowed = allowed && mayBeHomeAgent(peer.name);
    if (allowed) return absl::OkStatus();
    return permissionDenied(describe(peer) + " lacks the right to call " + method);
}

absl::Status PeerTable::checkDiskReader(const grpc::CallbackServerContext& context, const SliverId& sliver) const {
    HS_ASSIGN_OR_RETURN(const tls::Peer peer, tls::peerOf(*context.auth_context()));
    const std::lock_guard lock(mutex_);
    const auto found = disk_readers_.find(sliver);
    if (found != disk_readers_.end() && found->second == peer.identity.name) return absl::OkStatus();
    return permissionDenied(describe(peer.identity) + " lacks the right to take the disk of " + sliver.toString());
}

void PeerTable::guard(grpc::ServerBuilder& builder, grpc::ServerCredentials& credentials) {
    credentials.SetAuthMetadataProcessor(std::make_shared<Check>(*this));
    open_calls_.watch(builder);
}

}  // namespace homeslice::api
