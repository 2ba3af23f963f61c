#include "noded/api/status_changes.h"

#include <utility>

namespace homeslice::api {

v1::NodeStatus StatusChanges::next(v1::NodeStatus whole) {
    v1::NodeStatus changes = whole;
    changes.clear_slivers();
    changes.set_changes_only(true);
    std::unordered_map<std::string, std::string> now;
    for (const v1::SliverStatus& sliver : whole.slivers()) {
        std::string key = sliver.sliver().SerializeAsString();
        std::string text = sliver.SerializeAsString();
        const auto before = said_.find(key);
        if (before == said_.end() || before->second != text) *changes.add_slivers() = sliver;
        if (before != said_.end()) said_.erase(before);
        now.emplace(std::move(key), std::move(text));
    }
    // What is left here was not said again.
    for (const auto& [key, text] : said_) changes.add_gone()->ParseFromString(key);
    said_ = std::move(now);
    if (std::exchange(first_, false)) return whole;
    return changes;
}

}  // namespace homeslice::api
