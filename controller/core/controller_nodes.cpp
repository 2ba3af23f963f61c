// The nodes' side of the controller: connect, report, disconnect.
#include <utility>

#include "base/ipv4.h"
#include "base/log.h"
#include "base/nat.h"
#include "base/status.h"
#include "controller/core/controller.h"
#include "controller/core/node_role.h"
#include "controller/core/repeated.h"
#include "controller/operations/operations.h"

namespace homeslice::controller {
namespace {

bool sameMachine(const Node& a, const Node& b) {
    return a.care_of_address == b.care_of_address && a.api_port == b.api_port && a.boot_id == b.boot_id;
}

const char* versionOf(const Node& node) { return isIpv4(node.care_of_address) ? "IPv4" : "IPv6"; }

// Tunnels lead from one care-of address to another: no way would lead from IPv4 to IPv6. Nodes that are away do not
// count, so that a system can change its version node by node.
absl::Status checkAddress(const Node& hello, const Snapshot& snapshot, const NodeTable& table,
                          Monotonic::time_point now) {
    for (const auto& [name, node] : snapshot.nodes) {
        if (name == hello.name) continue;
        const bool same = isBehindNat(hello.care_of_address) && node.care_of_address == hello.care_of_address;
        if (!same && isIpv4(node.care_of_address) == isIpv4(hello.care_of_address)) continue;
        if (!table.notReady(name, now).empty()) continue;
        if (same)
            return alreadyExists("node " + hello.name + " cannot be told from node " + name +
                                 " behind another NAT: join it under another name");
        return failedPrecondition("node " + hello.name + " has an " + versionOf(hello) + " care-of address, node " +
                                  name + " an " + versionOf(node) + " one: give noded --care-of of one version on all");
    }
    return absl::OkStatus();
}

}  // namespace

absl::StatusOr<NodeHandle> Controller::connectNode(const Node& hello, std::shared_ptr<NodeSession> session) {
    HS_RETURN_IF_ERROR(checkHello(hello));
    const std::lock_guard lock(mutex_);
    HS_RETURN_IF_ERROR(checkRole(hello, snapshot_));
    const auto known = snapshot_.nodes.find(hello.name);
    const bool live = nodes_.notReady(hello.name, clock_.monotonic()).empty();
    if (live && known != snapshot_.nodes.end() && !sameMachine(known->second, hello)) {
        return alreadyExists("a node '" + hello.name + "' is connected from " +
                             addressText(known->second.care_of_address));
    }
    HS_RETURN_IF_ERROR(checkAddress(hello, snapshot_, nodes_, clock_.monotonic()));
    Node node = hello;
    if (known != snapshot_.nodes.end()) {
        node.labels = known->second.labels;
        node.cordoned = known->second.cordoned;
    }
    node.last_seen_us = clock_.utc_us();
    const NodeHandle handle{hello.name, ++last_session_};
    nodes_.closeSession(hello.name, aborted("node " + hello.name + " has connected anew"));
    HS_RETURN_IF_ERROR(storeHello(std::move(node)));
    nodes_.connect(handle.name, handle.session, std::move(session), clock_.monotonic());
    feed_.note({ChangeKind::node, hello.name, 0}, snapshot_.revision);  // that it is here is stored nowhere
    tellNodes();
    unsettled_.rows = true;  // a drain may go on
    settleAll();
    logInfo("node {} connected from {}{}", hello.name, addressText(hello.care_of_address),
            hello.home_agent      ? ", a home agent"
            : hello.correspondent ? ", a correspondent"
                                  : "");
    return handle;
}

void Controller::reportFromNode(const NodeHandle& node, const NodeReport& report) {
    const std::lock_guard lock(mutex_);
    if (!nodes_.isCurrent(node.name, node.session)) return;
    const NodeTable::News news = nodes_.report(node.name, report, clock_.monotonic());
    noteNews(news);
    unsettled_.add(unsettledBy(news, node.name, world()));
    // Stored with the row's next change: a write for each heartbeat would buy nothing.
    snapshot_.nodes[node.name].last_seen_us = clock_.utc_us();
    settleAll();
}

void Controller::disconnectNode(const NodeHandle& node) {
    const std::lock_guard lock(mutex_);
    if (!nodes_.isCurrent(node.name, node.session)) return;
    nodes_.disconnect(node.name);
    logInfo("node {} disconnected", node.name);
    unseen_.insert(node.name);
    settleAll();
}

// A node that comes back as it was costs no write: thousands may do so at once.
absl::Status Controller::storeHello(Node node) {
    unseen_.erase(node.name);
    const auto known = snapshot_.nodes.find(node.name);
    if (known != snapshot_.nodes.end()) {
        Node as_before = node;
        as_before.last_seen_us = known->second.last_seen_us;
        if (as_before == known->second) {
            known->second.last_seen_us = node.last_seen_us;
            return absl::OkStatus();
        }
    }
    Changes changes;
    changes.put_nodes.push_back(std::move(node));
    return commit(std::move(changes));
}

void Controller::storeLastSeen() {
    Changes changes;
    for (const std::string& name : unseen_) changes.put_nodes.push_back(snapshot_.nodes.at(name));
    unseen_.clear();
    if (changes.empty()) return;
    if (const absl::Status stored = commit(std::move(changes)); !stored.ok()) {
        logWarning("when nodes were last seen is not stored: {}", messageOf(stored));
    }
}

absl::StatusOr<NodeView> Controller::setNode(const SetNodeRequest& request) {
    HS_RETURN_IF_ERROR(checkRequest(request));
    const std::lock_guard lock(mutex_);
    HS_ASSIGN_OR_RETURN(const Node* found, findNode(request.name));
    Node node = *found;
    for (const std::string& key : request.remove_labels) {
        if (node.labels.erase(key) == 0) return notFound("node '" + node.name + "' has no label '" + key + "'");
    }
    for (const auto& [key, value] : request.labels) node.labels[key] = value;
    node.cordoned = request.cordoned.value_or(node.cordoned);
    Changes changes;
    changes.put_nodes.push_back(node);
    for (const auto& [id, operation] : snapshot_.operations) {
        const bool drains = operation.kind == OperationKind::drainNode && operation.node == node.name;
        if (node.cordoned || !drains || operation.ended()) continue;
        OperationFailure uncordoned;
        uncordoned.node = node.name;
        uncordoned.reason = "the node was uncordoned";
        changes.put_operations.push_back(failed(operation, uncordoned, clock_.utc_us()));
    }
    HS_RETURN_IF_ERROR(commit(std::move(changes)));
    settleAll();
    return viewNode(world(), node);
}

absl::StatusOr<Operation> Controller::drainNode(const std::string& name, const std::string& request_id) {
    HS_RETURN_IF_ERROR(checkRequestId(request_id));
    const std::lock_guard lock(mutex_);
    HS_ASSIGN_OR_RETURN(const Operation* repeated, findRepeated(request_id, OperationKind::drainNode, {}));
    if (repeated != nullptr && repeated->node != name) return requestIdReused(request_id, *repeated);
    if (repeated != nullptr) return viewOperation(world(), *repeated);
    HS_ASSIGN_OR_RETURN(const Node* found, findNode(name));
    for (const std::string& id : index_.running(OperationKind::drainNode)) {
        const Operation& operation = snapshot_.operations.at(id);
        if (operation.node == name) return viewOperation(world(), operation);
    }
    Node node = *found;
    node.cordoned = true;
    Operation operation =
        newOperation(OperationKind::drainNode, {}, viewNode(world(), node).slivers, request_id, clock_.utc_us());
    operation.node = name;
    Changes changes;
    changes.put_nodes.push_back(std::move(node));
    changes.put_operations.push_back(operation);
    HS_RETURN_IF_ERROR(commit(std::move(changes)));
    logInfo("node {}: draining {} slivers", name, operation.total);
    settleAll();
    return viewOperation(world(), snapshot_.operations.at(operation.id));
}

void Controller::closeNodes(const absl::Status& why) {
    const std::lock_guard lock(mutex_);
    nodes_.closeAll(why);
}

}  // namespace homeslice::controller
