// What a watch has told, as values for people and programs.
#pragma once

#include <homeslice/v1/controller.pb.h>

#include <map>
#include <string>
#include <vector>

#include "ctl/output/value.h"

namespace homeslice::ctl {

// {"kind": "slice", "name": "web", "change": "is" | "gone" | "lease-ends", "revision": 42, "object": {...}}; the object
// is as the `show` command of its kind has it, and null when it is gone.
class WatchedThings {
public:
    // What an answer says. Of a picture that begins anew, what was known before and is not in it is gone, which is said
    // at its end.
    std::vector<Value> take(const v1::WatchResponse& response, bool anew);

private:
    struct Key {
        v1::WatchKind kind = v1::WATCH_KIND_UNSPECIFIED;
        std::string name;
        auto operator<=>(const Key&) const = default;
    };

    Value lineOf(const v1::WatchEvent& event);
    Value remember(v1::WatchKind kind, const std::string& name, Value object);

    std::map<Key, uint64_t> known_;  // the picture in which each was last seen
    uint64_t picture_ = 0;
};

}  // namespace homeslice::ctl
