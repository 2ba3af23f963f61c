// Which slivers have which ssh keys.
#include "base/log.h"
#include "base/status.h"
#include "controller/core/controller.h"

namespace homeslice::controller {
namespace {

// Of those who may use the slice.
std::vector<std::string> sshKeysOf(const Slice& slice, const Snapshot& snapshot) {
    std::set<std::string> keys;
    std::set<std::string> users = slice.members;
    users.insert(slice.owner);
    for (const std::string& name : users) {
        const auto user = snapshot.users.find(name);
        if (user != snapshot.users.end()) keys.insert(user->second.ssh_keys.begin(), user->second.ssh_keys.end());
    }
    return {keys.begin(), keys.end()};
}

// The keys, and the run of the command that they were written under: a disk in memory begins anew with each.
std::string markOf(const std::vector<std::string>& keys, const SliverView& view) {
    if (keys.empty()) return "";
    std::string text;
    for (const std::string& key : keys) text += key + "\n";
    return pki::digestOf(text) + "@" + std::to_string(view.running_since_us);
}

}  // namespace

std::vector<KeyDelivery> Controller::keyDeliveries() const {
    const std::lock_guard lock(mutex_);
    std::vector<KeyDelivery> deliveries;
    for (const auto& [name, slice] : snapshot_.slices) {
        const std::vector<std::string> keys = sshKeysOf(slice, snapshot_);
        if (slice.deleting || (keys.empty() && !keys_were_delivered_)) continue;
        for (const Sliver* sliver : sliversOf(snapshot_, name)) {
            if (keys.empty() && sliver->keys_mark.empty()) continue;
            const SliverView view = viewSliver(world(), *sliver);
            const std::string mark = markOf(keys, view);
            const auto node = endpointIfReady(sliver->node);
            if (view.state != SliverState::running || mark == sliver->keys_mark || !node.ok()) continue;
            deliveries.push_back({sliver->id, *node, keys, mark});
        }
    }
    return deliveries;
}

void Controller::keysDelivered(const SliverId& id, const std::string& mark) {
    const std::lock_guard lock(mutex_);
    const auto found = snapshot_.slivers.find(id);
    if (found == snapshot_.slivers.end()) return;
    Changes changes;
    changes.put_slivers.push_back(found->second);
    changes.put_slivers.back().keys_mark = mark;
    keys_were_delivered_ = true;
    // Delivered once more after a restart, if this is not stored.
    if (const absl::Status stored = commit(std::move(changes)); !stored.ok()) {
        logWarning("sliver {}: {}", id.toString(), messageOf(stored));
    }
}

}  // namespace homeslice::controller
