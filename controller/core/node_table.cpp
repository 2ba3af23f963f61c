#include "controller/core/node_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

namespace homeslice::controller {
namespace {

constexpr int kLostAfterTimeouts = 3;
// Nodes further away than this, or slower, are not waited for.
constexpr std::chrono::seconds kAnswersWithin{2};

// But for the memory in use, which changes all the time.
bool looksAlike(const SliverReport& a, const SliverReport& b) {
    const auto shown = [](const SliverReport& report) {
        return std::tie(report.generation, report.state, report.reason, report.exit_status, report.running_since_us,
                        report.health, report.restarts);
    };
    return shown(a) == shown(b);
}

bool isBefore(const SliverReport& a, const SliverReport& b) { return a.id < b.id; }

// Where the report of the sliver is in a list by id, or would be.
template <typename Reports>
auto placeOf(Reports& reports, const SliverId& id) {
    return std::lower_bound(reports.begin(), reports.end(), id,
                            [](const SliverReport& report, const SliverId& wanted) { return report.id < wanted; });
}

// At most `most` of the names, those behind `last`, round and round; `last` is the last of them then.
std::vector<std::string> nextOf(const std::set<std::string>& names, std::string& last, size_t most) {
    std::vector<std::string> result;
    auto next = names.upper_bound(last);
    while (result.size() < std::min(most, names.size())) {
        if (next == names.end()) next = names.begin();
        result.push_back(*next++);
    }
    if (!result.empty()) last = result.back();
    return result;
}

}  // namespace

NodeTable::NodeTable(std::chrono::milliseconds timeout, Monotonic::time_point started)
    : timeout_(timeout), started_(started) {}

void NodeTable::connect(const std::string& name, uint64_t id, std::shared_ptr<NodeSession> session,
                        Monotonic::time_point now) {
    LiveNode& node = nodes_[name];
    endWait(node);
    node.session = std::move(session);
    node.session_id = id;
    node.heard = now;
    node.taken_in = 0;
    node.first_revision = 0;
    node.told_revision = 0;
    node.told_names = 0;
    node.asked.clear();
    node.unsent.clear();
    connected_.insert(name);
    untold_.insert(name);
}

bool NodeTable::isCurrent(const std::string& name, uint64_t id) const {
    const LiveNode* node = find(name);
    return node != nullptr && node->session != nullptr && node->session_id == id;
}

NodeTable::News NodeTable::report(const std::string& name, const NodeReport& report, Monotonic::time_point now) {
    LiveNode& node = nodes_[name];
    const bool had_spoken = hasSpoken(node);
    node.heard = now;
    node.taken_in = std::max(node.taken_in, report.desired_revision);
    if (node.taken_in >= node.told_revision) endWait(node);
    node.refusals = {report.bindings_refused, report.binding_refusal};
    News news;
    if (report.changes_only) {
        takeChanges(node, report, news);
    } else {
        takeWhole(node, report, news);
    }
    takeObedience(node, news);
    news.all = !had_spoken && hasSpoken(node);
    return news;
}

void NodeTable::takeWhole(LiveNode& node, const NodeReport& report, News& news) {
    std::vector<SliverReport> before = std::exchange(node.reports, report.slivers);
    std::stable_sort(node.reports.begin(), node.reports.end(), isBefore);
    // Of a sliver that is listed twice the last word counts.
    const auto rest = std::unique(node.reports.rbegin(), node.reports.rend(),
                                  [](const SliverReport& a, const SliverReport& b) { return a.id == b.id; });
    node.reports.erase(node.reports.begin(), rest.base());
    for (const SliverReport& now : node.reports) {
        const auto old = placeOf(before, now.id);
        const bool is_known = old != before.end() && old->id == now.id;
        if (!is_known || !(*old == now)) news.slivers.push_back(now.id);
        if (!is_known || !looksAlike(*old, now)) news.shown.push_back(now.id);
    }
    for (const SliverReport& old : before) {
        const auto now = placeOf(node.reports, old.id);
        if (now != node.reports.end() && now->id == old.id) continue;
        news.slivers.push_back(old.id);
        news.shown.push_back(old.id);
    }
}

void NodeTable::takeChanges(LiveNode& node, const NodeReport& report, News& news) {
    for (const SliverReport& now : report.slivers) {
        const auto old = placeOf(node.reports, now.id);
        const bool is_known = old != node.reports.end() && old->id == now.id;
        if (!is_known || !looksAlike(*old, now)) news.shown.push_back(now.id);
        if (is_known) {
            *old = now;
        } else {
            node.reports.insert(old, now);
        }
        news.slivers.push_back(now.id);
    }
    for (const SliverId& id : report.gone) {
        const auto old = placeOf(node.reports, id);
        if (old != node.reports.end() && old->id == id) node.reports.erase(old);
        news.slivers.push_back(id);
        news.shown.push_back(id);
    }
}

// Its word counts again of what it was asked and has taken in.
void NodeTable::takeObedience(LiveNode& node, News& news) {
    std::erase_if(node.asked, [&](const auto& entry) {
        const bool obeyed = entry.second <= node.taken_in;
        if (obeyed) news.slivers.push_back(entry.first);
        return obeyed;
    });
}

void NodeTable::disconnect(const std::string& name) {
    LiveNode& node = nodes_[name];
    endWait(node);
    node.session.reset();
    connected_.erase(name);
    untold_.erase(name);
}

void NodeTable::ask(const std::string& name, const SliverId& id, uint64_t revision) {
    const auto found = nodes_.find(name);
    // Whoever was told nothing yet will be told all.
    if (found == nodes_.end() || found->second.session == nullptr || found->second.first_revision == 0) return;
    found->second.asked[id] = revision;
    found->second.unsent.push_back(id);
    untold_.insert(name);
}

std::vector<std::string> NodeTable::nextUntold(size_t most) { return nextOf(untold_, last_untold_, most); }

NodeTable::Due NodeTable::takeDue(const std::string& name) {
    LiveNode& node = nodes_[name];
    Due due{node.told_revision, std::exchange(node.unsent, {})};
    std::sort(due.slivers.begin(), due.slivers.end());
    due.slivers.erase(std::unique(due.slivers.begin(), due.slivers.end()), due.slivers.end());
    return due;
}

void NodeTable::send(const std::string& name, uint64_t revision, const Picture& picture, const NameTable* names,
                     Monotonic::time_point now) {
    LiveNode& node = nodes_[name];
    if (!node.awaited_since) answers_awaited_ += 1;
    node.awaited_since = now;
    told_lately_.emplace_back(now, name);
    if (node.first_revision == 0) node.first_revision = revision;
    node.told_revision = revision;
    untold_.erase(name);
    if (names != nullptr) node.told_names = names->serial;
    node.session->send(revision, picture, names);
}

void NodeTable::sendNames(const std::string& name, const NameTable& names) {
    LiveNode& node = nodes_[name];
    node.told_names = names.serial;
    node.session->sendNames(names);
}

size_t NodeTable::answersAwaited(Monotonic::time_point now) {
    for (; !told_lately_.empty() && now - told_lately_.front().first > kAnswersWithin; told_lately_.pop_front()) {
        LiveNode& node = nodes_[told_lately_.front().second];
        if (node.awaited_since == told_lately_.front().first) endWait(node);
    }
    return answers_awaited_;
}

void NodeTable::endWait(LiveNode& node) {
    if (std::exchange(node.awaited_since, std::nullopt)) answers_awaited_ -= 1;
}

uint64_t NodeTable::toldNodes(const std::string& name) const {
    const LiveNode* node = find(name);
    return node == nullptr ? 0 : node->told_revision;
}

uint64_t NodeTable::toldNames(const std::string& name) const {
    const LiveNode* node = find(name);
    return node == nullptr ? 0 : node->told_names;
}

std::vector<std::string> NodeTable::nextInTurn(size_t most) { return nextOf(connected_, last_in_turn_, most); }

void NodeTable::closeSession(const std::string& name, const absl::Status& why) {
    if (!connected(name)) return;
    nodes_[name].session->close(why);
    disconnect(name);
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
    return notReady(find(name), now);
}

std::string NodeTable::notReady(const LiveNode* node, Monotonic::time_point now) const {
    if (node == nullptr) return "not connected since the controller started";
    const auto silence = std::chrono::duration_cast<std::chrono::seconds>(now - node->heard);
    if (node->session == nullptr) return fmt::format("not connected, last heard from {} s ago", silence.count());
    if (now - node->heard > timeout_) return fmt::format("silent for {} s", silence.count());
    return "";
}

NodeTable::InOrder::InOrder(const NodeTable& table) : table_(table) {
    std::vector<const Entry*>& by_name = table.by_name_;
    if (by_name.size() != table.nodes_.size()) {
        by_name.clear();
        for (const Entry& entry : table.nodes_) by_name.push_back(&entry);
        std::sort(by_name.begin(), by_name.end(), [](auto* a, auto* b) { return a->first < b->first; });
    }
    next_ = by_name.begin();
}

std::string NodeTable::InOrder::notReady(const std::string& name, Monotonic::time_point now) {
    while (next_ != table_.by_name_.end() && (*next_)->first < name) ++next_;
    const bool known = next_ != table_.by_name_.end() && (*next_)->first == name;
    return table_.notReady(known ? &(*next_)->second : nullptr, now);
}

Monotonic::duration NodeTable::silence(const std::string& name, Monotonic::time_point now) const {
    const LiveNode* node = find(name);
    return now - (node == nullptr ? started_ : std::max(node->heard, started_));
}

bool NodeTable::lost(const std::string& name, Monotonic::time_point now) const {
    return silence(name, now) > timeout_ * kLostAfterTimeouts;
}

bool NodeTable::hasSpoken(const LiveNode& node) {
    return node.session != nullptr && node.first_revision != 0 && node.taken_in >= node.first_revision;
}

bool NodeTable::speaksOf(const LiveNode& node, const SliverId& id) {
    return hasSpoken(node) && !node.asked.contains(id);
}

const SliverReport* NodeTable::lastReport(const std::string& name, const SliverId& id) const {
    const LiveNode* node = find(name);
    if (node == nullptr) return nullptr;
    const auto found = placeOf(node->reports, id);
    return found != node->reports.end() && found->id == id ? &*found : nullptr;
}

const SliverReport* NodeTable::currentReport(const std::string& name, const SliverId& id) const {
    const LiveNode* node = find(name);
    return node != nullptr && speaksOf(*node, id) ? lastReport(name, id) : nullptr;
}

std::vector<SliverId> NodeTable::reported(const std::string& name) const {
    std::vector<SliverId> ids;
    if (const LiveNode* node = find(name)) {
        for (const SliverReport& report : node->reports) ids.push_back(report.id);
    }
    return ids;
}

BindingRefusals NodeTable::refusals(const std::string& name) const {
    const LiveNode* const node = find(name);
    return node == nullptr ? BindingRefusals{} : node->refusals;
}

bool NodeTable::reportsAbsence(const std::string& name, const SliverId& id) const {
    const LiveNode* node = find(name);
    return node != nullptr && speaksOf(*node, id) && lastReport(name, id) == nullptr;
}

}  // namespace homeslice::controller
