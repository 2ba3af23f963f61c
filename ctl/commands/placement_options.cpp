#include "ctl/commands/placement_options.h"

#include "base/names.h"
#include "base/status.h"
#include "ctl/commands/parse.h"

namespace homeslice::ctl {
namespace {

constexpr uint32_t kMostNodes = 65535;
constexpr uint32_t kMostSlivers = 65535;

}  // namespace

void declareOnNodeLoss(CLI::App& app, std::string& text) {
    app.add_option("--on-node-loss", text,
                   "When a node is lost: replace, its slivers start anew elsewhere with fresh disks (the default); or "
                   "stay, they wait for it")
        ->type_name("WHAT");
}

absl::StatusOr<v1::OnNodeLoss> parseOnNodeLoss(const std::string& text) {
    if (text == "replace") return v1::ON_NODE_LOSS_REPLACE;
    if (text == "stay") return v1::ON_NODE_LOSS_STAY;
    return invalidArgument("--on-node-loss '" + text.substr(0, 60) + "' is not valid: use replace or stay");
}

void PlacementOptions::declare(CLI::App& app) {
    app_ = &app;
    app.add_option("--nodes", nodes_, "On this many nodes, the emptiest first")->type_name("N");
    app.add_option("--on", on_, "On exactly these nodes")->type_name("NODE,NODE");
    app.add_flag("--all-nodes", all_nodes_, "On every node that fits");
    app.add_option("--slivers", slivers_, "Dealt out to the nodes; default: one each")->type_name("K");
    app.add_option("--where", where_,
                   "Only on nodes with this label, such as rack=r1, rack!=r1 or ssd; may be repeated")
        ->type_name("LABEL[=VALUE]")
        ->allow_extra_args(false);
    app.add_option("--spread-over", spread_over_, "Equal shares for each value of this label, such as rack")
        ->type_name("LABEL");
    app.add_flag("--pack", pack_, "Fill few nodes, the fullest first, instead of spreading");
    app.add_option("--apart-from", apart_from_, "Not on nodes that have slivers of this slice; may be repeated")
        ->type_name("SLICE")
        ->allow_extra_args(false);
    declareOnNodeLoss(app, on_node_loss_);
    app.add_option("--reservation", reservation_,
                   "Its --cpu-reserve comes out of this reservation (slicectl reservation ls)")
        ->type_name("NAME");
}

absl::Status PlacementOptions::apply(v1::CreateSliceRequest& request) const {
    HS_RETURN_IF_ERROR(applyNodes(request));
    if (given("--slivers")) {
        HS_ASSIGN_OR_RETURN(const uint32_t count, parseCount("--slivers", slivers_, kMostSlivers));
        request.set_sliver_count(count);
    }
    v1::PlacementRules& rules = *request.mutable_rules();
    for (const std::string& term : where_) rules.add_where(term);
    rules.set_spread_over(spread_over_);
    rules.set_pack(pack_);
    for (const std::string& slice : apart_from_) {
        HS_RETURN_IF_ERROR(checkName("--apart-from", slice));
        rules.add_apart_from(slice);
    }
    if (given("--on-node-loss")) {
        HS_ASSIGN_OR_RETURN(const v1::OnNodeLoss on_node_loss, parseOnNodeLoss(on_node_loss_));
        rules.set_on_node_loss(on_node_loss);
    }
    if (given("--reservation")) HS_RETURN_IF_ERROR(checkName("reservation name", reservation_));
    request.set_reservation(reservation_);
    return absl::OkStatus();
}

absl::Status PlacementOptions::applyNodes(v1::CreateSliceRequest& request) const {
    const int ways = given("--nodes") + given("--on") + all_nodes_;
    if (ways > 1 || (ways == 0 && !given("--slivers"))) {
        return invalidArgument(
            "say where: --nodes N (any N nodes), --on NODE,NODE (these), --all-nodes, or --slivers K alone (as many "
            "nodes as they need)");
    }
    if (given("--nodes")) {
        HS_ASSIGN_OR_RETURN(const uint32_t count, parseCount("--nodes", nodes_, kMostNodes));
        request.set_node_count(count);
    }
    if (given("--on")) {
        HS_ASSIGN_OR_RETURN(const std::vector<std::string> names, parseNames("--on", on_));
        request.mutable_nodes()->Add(names.begin(), names.end());
    }
    request.set_all_nodes(all_nodes_);
    return absl::OkStatus();
}

}  // namespace homeslice::ctl
