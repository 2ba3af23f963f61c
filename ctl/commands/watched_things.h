// What a watch has told, as values for people and programs.
#pragma once

#include <homeslice/v1/controller.pb.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ctl/output/value.h"

namespace homeslice::ctl {

// {"kind": "slice", "name": "web", "change": "is" | "gone" | "lease-ends", "revision": 42, "object": {...}}; the object
// is as the `show` command of its kind has it, and null when it is gone.
class WatchedThings {
public:
    // What an answer says, but not of what is as it was when it was last told. Of a picture that begins anew, what was
    // known before and is not in it is gone, which is said at its end.
    std::vector<Value> take(const v1::WatchResponse& response, bool anew);

private:
    struct Key {
        v1::WatchKind kind = v1::WATCH_KIND_UNSPECIFIED;
        std::string name;
        auto operator<=>(const Key&) const = default;
    };

    struct Known {
        uint64_t picture = 0;  // in which it was last seen
        size_t digest = 0;     // of how it was told; as a text it would be all that a system has
    };

    // Nothing when there is nothing new.
    std::optional<Value> lineOf(const v1::WatchEvent& event);
    std::optional<Value> remember(v1::WatchKind kind, const std::string& name, Value object);

    std::map<Key, Known> known_;
    uint64_t picture_ = 0;
};

}  // namespace homeslice::ctl
