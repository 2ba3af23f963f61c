// What a watcher asks for, gets, and where it stands. See Controller::beginWatch().
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "controller/auth/rights.h"
#include "controller/core/change_feed.h"
#include "controller/core/views.h"

namespace homeslice::controller {

struct WatchRequest {
    Caller caller;
    uint64_t revision = 0;       // all up to it is known; 0: nothing is
    std::set<ChangeKind> kinds;  // empty: all
    std::string slice;           // only it, its slivers and its operations; empty: all
};

struct LeaseWarning {
    std::string slice;
    int64_t lease_end_us = 0;
};

// A thing as it is now; the thing alone: it is no more, or no longer the watcher's to see.
using WatchEvent = std::variant<NodeView, SliceView, SliverView, Operation, LeaseWarning, ChangedThing>;

struct WatchBatch {
    std::vector<WatchEvent> events;
    uint64_t revision = 0;  // all up to it has been told; 0: the picture is not whole yet
    bool whole = false;     // the picture has become so with this
    bool more = false;      // at once
};

class WatchCursor {
public:
    explicit WatchCursor(WatchRequest request) : request_(std::move(request)) {}

    const WatchRequest& request() const { return request_; }

private:
    friend class Controller;

    bool wants(ChangeKind kind) const { return request_.kinds.empty() || request_.kinds.contains(kind); }

    WatchRequest request_;
    bool drawing_ = false;  // the picture, by kind and key
    ChangedThing drawn_{};  // the last one in it
    uint64_t next_ = 0;     // number of the first record that was not told
};

}  // namespace homeslice::controller
