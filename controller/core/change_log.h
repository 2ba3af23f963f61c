// Which keys changed when: what somebody who knew everything at one revision has to hear to know it at a later one.
// Threads: none of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace homeslice::controller {

class ChangeLog {
public:
    // Nothing is known of changes up to `begin`.
    explicit ChangeLog(uint64_t begin) : begin_(begin) {}

    // `revision` is not below that of an earlier call.
    void note(const std::string& key, uint64_t revision) {
        const auto [entry, is_new] = last_.try_emplace(key, revision);
        if (!is_new) {
            by_revision_.erase({entry->second, key});
            entry->second = revision;
        }
        by_revision_.insert({revision, key});
        forgetOldest();
    }

    uint64_t newest() const { return by_revision_.empty() ? begin_ : by_revision_.rbegin()->revision; }
    // Whether since() tells all.
    bool reachesBackTo(uint64_t revision) const { return revision >= begin_; }
    // The keys that changed after `revision`, each once.
    std::vector<std::string> since(uint64_t revision) const {
        std::vector<std::string> keys;
        for (auto it = by_revision_.lower_bound({revision + 1, ""}); it != by_revision_.end(); ++it) {
            keys.push_back(it->key);
        }
        return keys;
    }

private:
    static constexpr size_t kKept = 50'000;
    struct Moment {
        uint64_t revision;
        std::string key;
        auto operator<=>(const Moment&) const = default;
    };

    void forgetOldest() {
        while (by_revision_.size() > kKept) {
            begin_ = by_revision_.begin()->revision;
            last_.erase(by_revision_.begin()->key);
            by_revision_.erase(by_revision_.begin());
        }
    }

    uint64_t begin_;
    std::map<std::string, uint64_t> last_;
    std::set<Moment> by_revision_;
};

}  // namespace homeslice::controller
