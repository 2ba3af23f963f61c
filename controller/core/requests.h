// What clients ask for, and whether it makes sense by itself. Pure.
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "controller/model/model.h"
#include "controller/placement/placement.h"

namespace homeslice::controller {

struct CreateSliceRequest {
    std::string name;
    SliverTemplate base;  // without a digest
    PlacementRequest where;
    uint32_t lease_s = 0;  // 0: the default
    std::string request_id;
    std::string owner;        // user
    std::string reservation;  // that its guarantees come out of; empty: none
};

// What an administrator says of a node; what is absent stays.
struct SetNodeRequest {
    std::string name;
    Labels labels;  // added, or changed
    std::vector<std::string> remove_labels;
    std::optional<bool> cordoned;
};

// INVALID_ARGUMENT says what is malformed. Whether nodes and image exist is not looked at.
absl::Status checkRequest(const CreateSliceRequest& request);
absl::Status checkRequest(const SetNodeRequest& request);
absl::Status checkRequestId(const std::string& request_id);
// Of a node's hello: its own words are not trusted to be well-formed.
absl::Status checkHello(const Node& node);

// FAILED_PRECONDITION, SLICE_DELETING.
absl::Status beingDeleted(const std::string& slice);

}  // namespace homeslice::controller
