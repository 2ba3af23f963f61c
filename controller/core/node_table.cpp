#include "controller/core/node_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace homeslice::controller {
namespace {

constexpr int kLostAfterTimeouts = 3;

}  // namespace

NodeTable::NodeTable(std::chrono::milliseconds timeout, Monotonic::time_point started)
    : timeout_(timeout), started_(started) {}

void NodeTable::connect(const std::string& name, uint64_t id, std::shared_ptr<NodeSession> session,
                        Monotonic::time_point now) {
    LiveNode& node = nodes_[name];
    node.session = std::move(session);
    node.session_id = id;
    node.heard = now;
    node.taken_in = 0;
    node.first_revision = 0;
    node.told = Picture();
    node.told_names.reset();
    node.asked.clear();
}

bool NodeTable::isCurrent(const std::string& name, uint64_t id) const {
    const LiveNode* node = find(name);
    return node != nullptr && node->session != nullptr && node->session_id == id;
}

void NodeTable::report(const std::string& name, const NodeReport& report, Monotonic::time_point now) {
    LiveNode& node = nodes_[name];
    node.heard = now;
    node.taken_in = std::max(node.taken_in, report.desired_revision);
    node.refusals = {report.bindings_refused, report.binding_refusal};
    node.reports.clear();
    for (const SliverReport& sliver : report.slivers) node.reports[sliver.id] = sliver;
    std::erase_if(node.asked, [&node](const auto& entry) { return entry.second <= node.taken_in; });
}

void NodeTable::disconnect(const std::string& name) { nodes_[name].session.reset(); }

void NodeTable::tell(const std::string& name, uint64_t revision, const Picture& picture) {
    LiveNode& node = nodes_[name];
    if (node.session == nullptr || (node.first_revision != 0 && node.told == picture)) return;
    noteWhatChanges(node, revision, picture);
    node.told = picture;
    node.session->send(revision, picture);
}

void NodeTable::tellNames(const std::string& name, const std::shared_ptr<const NameTable>& names) {
    LiveNode& node = nodes_[name];
    if (node.session == nullptr || node.told_names == names) return;
    node.told_names = names;
    node.session->sendNames(*names);
}

void NodeTable::noteWhatChanges(LiveNode& node, uint64_t revision, const Picture& picture) {
    if (node.first_revision == 0) {
        node.first_revision = revision;
        return;
    }
    for (const auto& [id, before] : node.told.slivers) {
        const auto now = picture.slivers.find(id);
        if (now == picture.slivers.end() || now->second != before) node.asked[id] = revision;
    }
    for (const auto& [id, desired] : picture.slivers) {
        if (node.told.slivers.count(id) == 0) node.asked[id] = revision;
    }
}

void NodeTable::closeSession(const std::string& name, const absl::Status& why) {
    if (!connected(name)) return;
    LiveNode& node = nodes_[name];
    node.session->close(why);
    node.session.reset();
}

void NodeTable::closeAll(const absl::Status& why) {
    for (auto& [name, node] : nodes_) {
        if (node.session != nullptr) node.session->close(why);
    }
}

const NodeTable::LiveNode* NodeTable::find(const std::string& name) const {
    const auto found = nodes_.find(name);
    return found == nodes_.end() ? nullptr : &found->second;
}

bool NodeTable::connected(const std::string& name) const {
    const LiveNode* node = find(name);
    return node != nullptr && node->session != nullptr;
}

std::string NodeTable::notReady(const std::string& name, Monotonic::time_point now) const {
    const LiveNode* node = find(name);
    if (node == nullptr) return "not connected since the controller started";
    const auto silence = std::chrono::duration_cast<std::chrono::seconds>(now - node->heard);
    if (node->session == nullptr) return fmt::format("not connected, last heard from {} s ago", silence.count());
    if (now - node->heard > timeout_) return fmt::format("silent for {} s", silence.count());
    return "";
}

Monotonic::duration NodeTable::silence(const std::string& name, Monotonic::time_point now) const {
    const LiveNode* node = find(name);
    return now - (node == nullptr ? started_ : std::max(node->heard, started_));
}

bool NodeTable::lost(const std::string& name, Monotonic::time_point now) const {
    return silence(name, now) > timeout_ * kLostAfterTimeouts;
}

bool NodeTable::speaksOf(const LiveNode& node, const SliverId& id) {
    if (node.session == nullptr || node.first_revision == 0 || node.taken_in < node.first_revision) return false;
    return node.asked.count(id) == 0;
}

const SliverReport* NodeTable::lastReport(const std::string& name, const SliverId& id) const {
    const LiveNode* node = find(name);
    if (node == nullptr) return nullptr;
    const auto found = node->reports.find(id);
    return found == node->reports.end() ? nullptr : &found->second;
}

const SliverReport* NodeTable::currentReport(const std::string& name, const SliverId& id) const {
    const LiveNode* node = find(name);
    return node != nullptr && speaksOf(*node, id) ? lastReport(name, id) : nullptr;
}

std::vector<SliverId> NodeTable::reported(const std::string& name) const {
    std::vector<SliverId> ids;
    if (const LiveNode* node = find(name)) {
        for (const auto& [id, report] : node->reports) ids.push_back(id);
    }
    return ids;
}

BindingRefusals NodeTable::refusals(const std::string& name) const {
    const LiveNode* const node = find(name);
    return node == nullptr ? BindingRefusals{} : node->refusals;
}

bool NodeTable::reportsAbsence(const std::string& name, const SliverId& id) const {
    const LiveNode* node = find(name);
    return node != nullptr && speaksOf(*node, id) && node->reports.count(id) == 0;
}

}  // namespace homeslice::controller
