// Which nodes a slice's slivers may be on, and how they are dealt out to them: what a slice keeps for its life.
#pragma once

#include <absl/status/statusor.h>

#include <map>
#include <string>
#include <vector>

namespace homeslice::controller {

using Labels = std::map<std::string, std::string>;

// One thing that a node's labels must say.
struct LabelTerm {
    enum class Relation { present, equal, unequal };
    std::string key;
    Relation relation = Relation::present;
    std::string value;

    // A node without the label is unequal to every value.
    bool matches(const Labels& labels) const;
    std::string toString() const;  // "rack=r1", "rack!=r1", "rack"
    bool operator==(const LabelTerm&) const = default;
};

// What becomes of a sliver whose node is lost: it is placed anew, or it waits.
enum class OnNodeLoss { replace, stay };

struct PlacementRules {
    std::vector<LabelTerm> where;         // all of it
    std::string spread_over;              // a label whose values get equal shares; empty: none
    bool pack = false;                    // the fullest node first, else the emptiest
    std::vector<std::string> apart_from;  // slices that a node must have no sliver of
    OnNodeLoss on_node_loss = OnNodeLoss::replace;

    bool operator==(const PlacementRules&) const = default;
};

// Keys and values have 1 to 63 letters, digits, '-', '_', '.', the first a letter or digit. INVALID_ARGUMENT else.
absl::Status checkLabel(const std::string& key, const std::string& value);
absl::Status checkLabelKey(const std::string& key);
// What LabelTerm::toString() writes. INVALID_ARGUMENT else.
absl::StatusOr<LabelTerm> parseLabelTerm(const std::string& text);

}  // namespace homeslice::controller
