#include "ctl/commands/node_rebalance.h"

#include <memory>

#include "base/status.h"
#include "ctl/client/client.h"
#include "ctl/commands/operation.h"
#include "ctl/commands/views.h"

namespace homeslice::ctl {
namespace {

absl::StatusOr<int> plan(Context& context) {
    HS_ASSIGN_OR_RETURN(Client* const client, context.client());
    HS_ASSIGN_OR_RETURN(const v1::RebalancePlan planned, client->planRebalance());
    printList(context.io(), context.format(), rebalanceStepColumns(), listOf(planned.steps(), rebalanceStepValue));
    return 0;
}

absl::StatusOr<int> rebalance(Context& context, bool dry_run, const WaitOptions& wait) {
    if (dry_run) return plan(context);
    const OperationStory story{
        .label = "nodes",
        .look = "slicectl operation ls --running",
        .start = [](Client& client) { return client.rebalanceNodes(); },
        .outcome =
            [](const v1::Operation& ended) {
                return "evened out by moving " + sliversText(ended.total()) + ", after " + elapsedText(ended);
            },
        .print = [&](Client&, const v1::Operation& ended) { return printEnded(context, ended); }};
    return runOperation(context, wait, story);
}

}  // namespace

void declareRebalance(CLI::App& node, Context& context) {
    CLI::App* const app = node.add_subcommand("rebalance", "Move slivers off loaded nodes to emptier ones");
    const auto dry_run = std::make_shared<bool>(false);
    const auto wait = std::make_shared<WaitOptions>();
    app->add_flag("--dry-run", *dry_run, "Only show the moves, and why");
    addWaitOptions(*app, *wait);
    app->footer(
        "Slivers are stopped while they move, keep their addresses, and go where their slice's rules allow.\n\n"
        "Example: slicectl node rebalance --dry-run");
    context.setAction(*app, CommandTail::none,
                      [&context, dry_run, wait] { return rebalance(context, *dry_run, *wait); });
}

}  // namespace homeslice::ctl
