#include "controller/placement/placement.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "base/reason.h"
#include "base/status.h"

namespace homeslice::controller {
namespace {

constexpr uint32_t kMaxSlivers = 65535;  // a sliver's index is 16 bits of its home address

absl::Status unplaceable(const std::string& message) {
    return because(resourceExhausted(message), reason::kUnplaceable);
}

bool namesItsNodes(const PlacementRequest& request) {
    return request.node_count != 0 || !request.nodes.empty() || request.all_nodes;
}

absl::Status checkRequest(const PlacementRequest& request) {
    const int ways = (request.node_count != 0) + !request.nodes.empty() + request.all_nodes;
    if (ways == 0 && request.sliver_count == 0) {
        return invalidArgument("say how many nodes, or which, or how many slivers: at least one");
    }
    if (ways > 1) return invalidArgument("give either a number of nodes, their names or all nodes, not two of them");
    if (std::set<std::string>(request.nodes.begin(), request.nodes.end()).size() != request.nodes.size()) {
        return invalidArgument("a node is named twice");
    }
    const uint64_t nodes = request.nodes.empty() ? request.node_count : request.nodes.size();
    const uint64_t slivers = request.sliver_count == 0 ? nodes : request.sliver_count;
    if (slivers < nodes) {
        return invalidArgument(fmt::format("{} slivers are too few for {} nodes: each node gets one", slivers, nodes));
    }
    if (slivers > kMaxSlivers) {
        return invalidArgument(fmt::format("{} slivers are too many: a slice has at most {}", slivers, kMaxSlivers));
    }
    return absl::OkStatus();
}

uint32_t millisLeft(const Candidate& candidate) {
    return candidate.cpu_millis - std::min(candidate.cpu_millis, candidate.reserved_millis);
}

uint32_t roomFor(uint32_t reservation_millis, const Candidate& candidate) {
    return reservation_millis == 0 ? kMaxSlivers : millisLeft(candidate) / reservation_millis;
}

// Share of the processors that is reserved, compared without division; a node without processors is full.
bool isEmptier(const Candidate& a, const Candidate& b) {
    const uint64_t share_a = uint64_t{a.reserved_millis} * b.cpu_millis;
    const uint64_t share_b = uint64_t{b.reserved_millis} * a.cpu_millis;
    return std::tie(share_a, a.slivers, a.name) < std::tie(share_b, b.slivers, b.name);
}

bool isFuller(const Candidate& a, const Candidate& b) {
    const uint64_t share_a = uint64_t{a.reserved_millis} * b.cpu_millis;
    const uint64_t share_b = uint64_t{b.reserved_millis} * a.cpu_millis;
    return std::tie(share_b, b.slivers, a.name) < std::tie(share_a, a.slivers, b.name);
}

// A node that may get slivers, and how many it has got.
struct Seat {
    const Candidate* node = nullptr;
    std::string group;  // value of the label that is spread over, else empty
    uint32_t room = 0;
    uint32_t given = 0;
};

class Dealer {
public:
    Dealer(const PlacementRequest& request, const std::vector<Candidate>& candidates)
        : request_(request), candidates_(candidates) {}

    absl::StatusOr<Plan> deal() {
        HS_RETURN_IF_ERROR(request_.nodes.empty() ? seatThoseThatFit() : seatNamed());
        HS_RETURN_IF_ERROR(chooseSeats());
        const size_t wanted = request_.sliver_count == 0 ? seats_.size() : request_.sliver_count;
        if (wanted > kMaxSlivers) {
            return invalidArgument(fmt::format("{} slivers are too many: a slice has at most {}", wanted, kMaxSlivers));
        }
        HS_RETURN_IF_ERROR(checkRoom(wanted));
        if (namesItsNodes(request_)) giveOneToEach();
        if (request_.rules.pack) {
            fillUp(wanted);
        } else {
            spread(wanted);
        }
        return std::move(plan_);
    }

private:
    std::string groupOf(const Candidate& candidate) const {
        const auto label = candidate.labels.find(request_.rules.spread_over);
        return label == candidate.labels.end() ? "" : label->second;
    }

    void seat(const Candidate& candidate) {
        seats_.push_back({.node = &candidate,
                          .group = groupOf(candidate),
                          .room = roomFor(request_.cpu_reservation_millis, candidate)});
    }

    absl::Status seatNamed() {
        for (const std::string& name : request_.nodes) {
            const auto found = std::find_if(candidates_.begin(), candidates_.end(),
                                            [&name](const Candidate& candidate) { return candidate.name == name; });
            if (found == candidates_.end()) return notFound("no node '" + name + "'");
            const std::string misfit = misfitOf(*found, request_.rules, request_.cpu_reservation_millis);
            if (!misfit.empty()) {
                const std::string detail = found->ready ? "" : " (" + found->reason + ")";
                return failedPrecondition("node '" + name + "' does not fit: " + misfit + detail);
            }
            seat(*found);
        }
        return absl::OkStatus();
    }

    absl::Status seatThoseThatFit() {
        std::map<std::string, std::vector<std::string>> excluded;
        for (const Candidate& candidate : candidates_) {
            const std::string misfit = misfitOf(candidate, request_.rules, request_.cpu_reservation_millis);
            if (misfit.empty()) {
                seat(candidate);
            } else {
                excluded[misfit].push_back(candidate.name);
            }
        }
        for (auto& [reason, nodes] : excluded) plan_.exclusions.push_back({reason, std::move(nodes)});
        sortSeats();
        if (!seats_.empty() && seats_.size() >= request_.node_count) return absl::OkStatus();
        const uint32_t wanted = std::max(request_.node_count, 1U);
        return unplaceable(fmt::format("{} node{} {} asked for and {} fit{}{}", wanted, wanted == 1 ? "" : "s",
                                       wanted == 1 ? "is" : "are", seats_.size(), seats_.size() == 1 ? "s" : "",
                                       exclusionsText()));
    }

    // How many of the nodes that fit are chosen, if there are as many.
    size_t seatsWanted() const {
        if (request_.node_count != 0) return request_.node_count;
        if (namesItsNodes(request_) || request_.rules.pack) return seats_.size();
        return request_.sliver_count;
    }

    // Those that are chosen are the first, unless groups have a say in it. There may be thousands more.
    void sortSeats() {
        const auto first = request_.rules.pack ? isFuller : isEmptier;
        const size_t sorted = request_.rules.spread_over.empty() ? seatsWanted() : seats_.size();
        std::partial_sort(seats_.begin(), seats_.begin() + static_cast<std::ptrdiff_t>(std::min(sorted, seats_.size())),
                          seats_.end(), [first](const Seat& a, const Seat& b) { return first(*a.node, *b.node); });
    }

    // ": cordoned 1 (node3); rack=r1 not met 2 (node1, node2)"
    std::string exclusionsText() const {
        constexpr size_t kNamed = 3;
        std::vector<std::string> parts;
        for (const Exclusion& exclusion : plan_.exclusions) {
            const size_t shown = std::min(exclusion.nodes.size(), kNamed);
            const auto end = exclusion.nodes.begin() + static_cast<std::ptrdiff_t>(shown);
            parts.push_back(fmt::format("{} {} ({}{})", exclusion.reason, exclusion.nodes.size(),
                                        fmt::join(exclusion.nodes.begin(), end, ", "),
                                        shown < exclusion.nodes.size() ? ", ..." : ""));
        }
        return parts.empty() ? "" : fmt::format(": {}", fmt::join(parts, "; "));
    }

    // Keeps as many seats as nodes are asked for, equally many of each group; the order in a group stays.
    absl::Status chooseSeats() {
        const size_t wanted = std::min(seatsWanted(), seats_.size());
        if (request_.sliver_count != 0 && request_.all_nodes && request_.sliver_count < wanted) {
            return invalidArgument(
                fmt::format("{} slivers are too few for {} nodes: each node gets one", request_.sliver_count, wanted));
        }
        if (wanted == seats_.size()) return absl::OkStatus();
        if (request_.rules.spread_over.empty()) {
            seats_.resize(wanted);
            return absl::OkStatus();
        }
        std::map<std::string, uint32_t> chosen_of;
        std::vector<std::pair<uint32_t, size_t>> order;  // rank in its group, position
        for (size_t i = 0; i < seats_.size(); ++i) order.emplace_back(chosen_of[seats_[i].group]++, i);
        std::stable_sort(order.begin(), order.end(), [](auto& a, auto& b) { return a.first < b.first; });
        std::vector<Seat> chosen;
        for (size_t i = 0; i < wanted; ++i) chosen.push_back(seats_[order[i].second]);
        seats_ = std::move(chosen);
        return absl::OkStatus();
    }

    absl::Status checkRoom(size_t wanted) const {
        uint64_t room = 0;
        for (const Seat& seat : seats_) room += seat.room;
        if (room >= wanted) return absl::OkStatus();
        return unplaceable(fmt::format("there is room for {} of {} slivers with {}m CPU reserved each on {} nodes{}",
                                       room, wanted, request_.cpu_reservation_millis, seats_.size(), exclusionsText()));
    }

    void give(Seat& seat, const std::string& reason) {
        seat.given += 1;
        seat.room -= 1;
        plan_.places.push_back({seat.node->name, reason});
    }

    std::string stateOf(const Candidate& node) const {
        return fmt::format("{} slivers, {}m of {}m CPU reserved", node.slivers, node.reserved_millis, node.cpu_millis);
    }

    void giveOneToEach() {
        const char* why = !request_.nodes.empty() ? "named"
                          : request_.all_nodes    ? "every node"
                          : request_.rules.pack   ? "among the fullest"
                                                  : "among the emptiest";
        for (Seat& seat : seats_) give(seat, std::string(why) + ": " + stateOf(*seat.node));
    }

    void fillUp(size_t wanted) {
        for (Seat& seat : seats_) {
            while (plan_.places.size() < wanted && seat.room > 0) give(seat, "has room: " + stateOf(*seat.node));
        }
    }

    // In equal shares: to the group that has got least, in it to the node that has got least, the emptiest first.
    void spread(size_t wanted) {
        using Key = std::tuple<uint32_t, size_t>;  // given, rank by emptiness
        std::map<std::string, std::map<Key, Seat*>> nodes_of;
        std::map<std::string, uint32_t> given_to;
        std::vector<Seat*> by_emptiness;
        for (Seat& seat : seats_) by_emptiness.push_back(&seat);
        std::sort(by_emptiness.begin(), by_emptiness.end(),
                  [](const Seat* a, const Seat* b) { return isEmptier(*a->node, *b->node); });
        for (size_t rank = 0; rank < by_emptiness.size(); ++rank) {
            Seat* seat = by_emptiness[rank];
            given_to[seat->group] += seat->given;
            if (seat->room > 0) nodes_of[seat->group].emplace(Key{seat->given, rank}, seat);
        }
        std::set<std::tuple<uint32_t, Key, std::string>> groups;
        for (const auto& [group, nodes] : nodes_of) groups.emplace(given_to[group], nodes.begin()->first, group);
        const std::string over = request_.rules.spread_over;
        while (plan_.places.size() < wanted) {
            const auto [count, key, group] = *groups.begin();
            groups.erase(groups.begin());
            auto& nodes = nodes_of[group];
            Seat* seat = nodes.begin()->second;
            nodes.erase(nodes.begin());
            const std::string share = over.empty() ? "" : fmt::format(", {}={} had {}", over, group, count);
            give(*seat, fmt::format("had {} of the slice{}: {}", seat->given, share, stateOf(*seat->node)));
            if (seat->room > 0) nodes.emplace(Key{seat->given, std::get<1>(key)}, seat);
            if (!nodes.empty()) groups.emplace(count + 1, nodes.begin()->first, group);
        }
    }

    const PlacementRequest& request_;
    const std::vector<Candidate>& candidates_;
    std::vector<Seat> seats_;
    Plan plan_;
};

}  // namespace

std::string misfitOf(const Candidate& candidate, const PlacementRules& rules, uint32_t cpu_reservation_millis) {
    if (candidate.home_agent) return "a home agent";
    if (candidate.correspondent) return "a correspondent";
    if (!candidate.ready) return "not ready";
    if (candidate.cordoned) return "cordoned";
    if (!candidate.barred.empty()) return candidate.barred;
    for (const LabelTerm& term : rules.where) {
        if (!term.matches(candidate.labels)) return "not " + term.toString();
    }
    if (!rules.spread_over.empty() && !candidate.labels.contains(rules.spread_over)) {
        return "no label " + rules.spread_over;
    }
    for (const std::string& slice : rules.apart_from) {
        const auto& held = candidate.slices;
        if (std::find(held.begin(), held.end(), slice) != held.end()) return "has slivers of " + slice;
    }
    if (roomFor(cpu_reservation_millis, candidate) == 0) {
        const std::string held = candidate.held_by.empty() ? "" : ", " + candidate.held_by;
        return fmt::format("less than {}m CPU left{}", cpu_reservation_millis, held);
    }
    return "";
}

absl::StatusOr<Plan> place(const PlacementRequest& request, const std::vector<Candidate>& candidates) {
    HS_RETURN_IF_ERROR(checkRequest(request));
    return Dealer(request, candidates).deal();
}

}  // namespace homeslice::controller
