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
// So many are told what concerns them before the first of them answer. What waits meanwhile goes out in one, and users
// do not wait in line behind the answers of thousands. With more the line grows (bench/control).
constexpr size_t kAwaitedAtOnce = 32;
// A tick tells so many what all should know. While nodes wait for what concerns them they hear the rest with that.
constexpr size_t kToldByTick = 1000;
constexpr size_t kToldByBusyTick = 250;
// The table of all names takes long to make in a large system. Whoever connects in between gets an older one first.
constexpr std::chrono::seconds kWholeNamesEvery{5};
// Progress of an operation about more slivers is made, and told, with the ticks.
constexpr uint32_t kLargeSlice = 256;
// A node that is silent for the timeout has missed five heartbeats, or is slow.
constexpr int kHeartbeatsInTimeout = 5;
constexpr std::chrono::milliseconds kShortestHeartbeat{1000};

}  // namespace

void Controller::tellNodes() {
    // Who asked for something does not wait until thousands have been told.
    if (wake_teller_ && nodes_.untoldCount() > tellable()) return wake_teller_();
    for (const std::string& name : nodes_.nextUntold(nodes_.untoldCount())) tellNode(name);
    if (nodes_.connectedCount() <= kToldAtOnce) spreadNews(kToldAtOnce);
}

void Controller::onUntold(std::function<void()> wake) {
    const std::lock_guard lock(mutex_);
    wake_teller_ = std::move(wake);
}

bool Controller::tellMore() {
    const std::lock_guard lock(mutex_);
    for (const std::string& name : nodes_.nextUntold(tellable())) tellNode(name);
    return nodes_.untoldCount() > 0;
}

size_t Controller::tellable() {
    return kAwaitedAtOnce - std::min(kAwaitedAtOnce, nodes_.answersAwaited(clock_.monotonic()));
}

void Controller::tellNode(const std::string& name) {
    const NodeTable::Due due = nodes_.takeDue(name);
    const bool knows = due.since != 0 && known_nodes_.reachesBackTo(due.since);
    Picture picture = knows ? changedPicture(world(), name, due.since, due.slivers, known_nodes_.since(due.since))
                            : wholePicture(world(), name, known_nodes_.since(0));
    picture.heartbeat =
        std::max<std::chrono::milliseconds>(config_.node_timeout / kHeartbeatsInTimeout, kShortestHeartbeat);
    nodes_.send(name, snapshot_.revision, picture, newNames(name), clock_.monotonic());
}

// What the node has not heard of names; null when that is nothing.
const NameTable* Controller::newNames(const std::string& node) {
    const uint64_t told = nodes_.toldNames(node);
    if (told != 0 && told >= known_names_.newest()) return nullptr;
    if (told != 0 && known_names_.reachesBackTo(told)) return &known_names_.since(world(), told);
    const auto now = clock_.monotonic();
    const bool due = nodes_.connectedCount() <= kToldAtOnce || now - names_made_ >= kWholeNamesEvery;
    if (due) names_made_ = now;
    return &known_names_.whole(world(), due);
}

void Controller::spreadByTick() { spreadNews(nodes_.untoldCount() > kToldAtOnce ? kToldByBusyTick : kToldByTick); }

void Controller::spreadNews(size_t most) {
    for (const std::string& name : nodes_.nextInTurn(most)) {
        if (nodes_.toldNodes(name) < known_nodes_.newest()) {
            tellNode(name);
        } else if (const NameTable* names = newNames(name)) {
            nodes_.sendNames(name, *names);
        }
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
