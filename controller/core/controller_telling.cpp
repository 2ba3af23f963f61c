// What the controller tells by itself: to nodes what they should hold and know, to watchers how operations come on.
#include <algorithm>
#include <utility>

#include "base/status.h"
#include "controller/core/controller.h"
#include "controller/core/names.h"
#include "controller/core/picture.h"

namespace homeslice::controller {
namespace {

// So many nodes hear at once of what all should know; beyond, it goes round with the ticks.
constexpr size_t kToldAtOnce = 256;
// The table of all names takes long to make in a large system. Whoever connects in between gets an older one first.
constexpr std::chrono::seconds kWholeNamesEvery{5};
// Progress of an operation about more slivers is made, and told, with the ticks.
constexpr uint32_t kLargeSlice = 256;
// A node that is silent for the timeout has missed five heartbeats, or is slow.
constexpr int kHeartbeatsInTimeout = 5;
constexpr std::chrono::milliseconds kShortestHeartbeat{1000};

}  // namespace

void Controller::tellNodes() {
    for (const std::string& name : nodes_.untold()) tellNode(name);
    if (nodes_.connectedCount() <= kToldAtOnce) spreadNews(kToldAtOnce);
}

void Controller::tellNode(const std::string& name) {
    const NodeTable::Due due = nodes_.takeDue(name);
    const bool knows = due.since != 0 && known_nodes_.reachesBackTo(due.since);
    Picture picture = knows ? changedPicture(world(), name, due.since, due.slivers, known_nodes_.since(due.since))
                            : wholePicture(world(), name, known_nodes_.since(0));
    picture.heartbeat =
        std::max<std::chrono::milliseconds>(config_.node_timeout / kHeartbeatsInTimeout, kShortestHeartbeat);
    nodes_.send(name, snapshot_.revision, picture);
    if (nodes_.toldNames(name) == 0) tellNames(name);
}

void Controller::tellNames(const std::string& name) {
    const uint64_t told = nodes_.toldNames(name);
    const bool knows = told != 0 && changed_names_.reachesBackTo(told);
    nodes_.sendNames(name, knows ? namesSince(told) : wholeNames());
}

const NameTable& Controller::wholeNames() {
    const auto now = clock_.monotonic();
    const bool due = nodes_.connectedCount() <= kToldAtOnce || now - names_made_ >= kWholeNamesEvery;
    const bool usable = whole_names_.serial != 0 && changed_names_.reachesBackTo(whole_names_.serial);
    if (usable && (whole_names_.serial == changed_names_.newest() || !due)) return whole_names_;
    whole_names_ = namesOf(world(), changed_names_.newest());
    names_made_ = now;
    return whole_names_;
}

const NameTable& Controller::namesSince(uint64_t serial) {
    const uint64_t newest = changed_names_.newest();
    if (latest_names_.since != serial || latest_names_.serial != newest) {
        latest_names_ = changedNames(world(), newest, serial, changed_names_.since(serial));
    }
    return latest_names_;
}

void Controller::spreadNews(size_t most) {
    for (const std::string& name : nodes_.nextInTurn(most)) {
        if (nodes_.toldNodes(name) < known_nodes_.newest()) tellNode(name);
        if (nodes_.toldNames(name) < changed_names_.newest()) tellNames(name);
    }
}

void Controller::tellWatchers(Telling telling) {
    const bool with_tick = telling == Telling::with_tick;
    const auto isLarge = [this](const std::string& id) {
        const auto found = snapshot_.operations.find(id);
        return found != snapshot_.operations.end() && !found->second.ended() &&
               index_.sliversOf(found->second.subject.slice) > kLargeSlice;
    };
    std::set<std::string> due = std::exchange(to_tell_, {});
    if (with_tick) {
        for (const auto& [id, watched] : watched_) {
            if (!isLarge(id)) due.insert(id);
        }
    }
    for (const std::string& id : due) {
        if (!watched_.contains(id)) continue;
        if (!with_tick && isLarge(id)) {
            to_tell_.insert(id);
        } else if (!tellWatchersOf(id)) {
            watched_.erase(id);
        }
    }
}

// False when there is nobody, or nothing, left to tell.
bool Controller::tellWatchersOf(const std::string& operation) {
    const auto found = snapshot_.operations.find(operation);
    if (found == snapshot_.operations.end()) return false;
    Watched& watched = watched_.at(operation);
    std::erase_if(watched.watchers, [](const auto& watcher) { return watcher.expired(); });
    const Operation now = viewOperation(world(), found->second);
    if (!(now == watched.last)) {
        for (const auto& weak : watched.watchers) {
            if (const auto watcher = weak.lock()) watcher->changed(now);
        }
        watched.last = now;
    }
    return !now.ended() && !watched.watchers.empty();
}

absl::Status Controller::watchOperation(const std::string& id, const std::weak_ptr<OperationWatcher>& watcher) {
    const std::lock_guard lock(mutex_);
    HS_ASSIGN_OR_RETURN(const Operation* found, findOperation(id));
    const Operation now = viewOperation(world(), *found);
    if (const auto live = watcher.lock()) live->changed(now);
    if (now.ended()) return absl::OkStatus();
    Watched& watched = watched_[id];
    if (watched.watchers.empty()) watched.last = now;
    watched.watchers.push_back(watcher);
    return absl::OkStatus();
}

}  // namespace homeslice::controller
