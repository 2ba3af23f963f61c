// The nodes' side of the controller: connect, report, disconnect.
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "controller/core/controller.h"

namespace homeslice::controller {
namespace {

bool sameMachine(const Node& a, const Node& b) {
    return a.care_of_address == b.care_of_address && a.api_port == b.api_port && a.boot_id == b.boot_id;
}

}  // namespace

absl::StatusOr<NodeHandle> Controller::connectNode(const Node& hello, std::shared_ptr<NodeSession> session) {
    HS_RETURN_IF_ERROR(checkHello(hello));
    const std::lock_guard lock(mutex_);
    const auto known = snapshot_.nodes.find(hello.name);
    const bool live = nodes_.notReady(hello.name, clock_.monotonic()).empty();
    if (live && known != snapshot_.nodes.end() && !sameMachine(known->second, hello)) {
        return alreadyExists("a node '" + hello.name + "' is connected from " +
                             known->second.care_of_address.toString());
    }
    Node node = hello;
    node.last_seen_us = clock_.utc_us();
    const NodeHandle handle{hello.name, ++last_session_};
    nodes_.closeSession(hello.name, aborted("node " + hello.name + " has connected anew"));
    Changes changes;
    changes.put_nodes.push_back(std::move(node));
    HS_RETURN_IF_ERROR(commit(std::move(changes)));
    nodes_.connect(handle.name, handle.session, std::move(session), clock_.monotonic());
    tellNodes();
    settleAll();
    logInfo("node {} connected from {}{}", hello.name, hello.care_of_address.toString(),
            hello.home_agent ? ", a home agent" : "");
    return handle;
}

void Controller::reportFromNode(const NodeHandle& node, const NodeReport& report) {
    const std::lock_guard lock(mutex_);
    if (!nodes_.isCurrent(node.name, node.session)) return;
    nodes_.report(node.name, report, clock_.monotonic());
    // Stored with the row's next change: a write for each heartbeat would buy nothing.
    snapshot_.nodes[node.name].last_seen_us = clock_.utc_us();
    settleAll();
}

void Controller::disconnectNode(const NodeHandle& node) {
    const std::lock_guard lock(mutex_);
    if (!nodes_.isCurrent(node.name, node.session)) return;
    nodes_.disconnect(node.name);
    logInfo("node {} disconnected", node.name);
    Changes changes;
    changes.put_nodes.push_back(snapshot_.nodes[node.name]);
    if (const absl::Status stored = commit(std::move(changes)); !stored.ok()) {
        logWarning("node {}: {}", node.name, messageOf(stored));
    }
    settleAll();
}

void Controller::closeNodes(const absl::Status& why) {
    const std::lock_guard lock(mutex_);
    nodes_.closeAll(why);
}

}  // namespace homeslice::controller
