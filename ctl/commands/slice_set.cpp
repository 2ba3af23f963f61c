#include <memory>

#include "base/names.h"
#include "base/status.h"
#include "ctl/client/client.h"
#include "ctl/commands/operation.h"
#include "ctl/commands/parse_template.h"
#include "ctl/commands/placement_options.h"
#include "ctl/commands/resource_options.h"
#include "ctl/commands/slice_parts.h"
#include "spec/wire/convert.h"

namespace homeslice::ctl {
namespace {

struct SetOptions {
    std::string name;
    std::string balance;
    std::string on_node_loss;
    ResourceOptions resources;
    WaitOptions wait;
};

absl::StatusOr<int> set(Context& context, const SetOptions& options) {
    HS_RETURN_IF_ERROR(checkName("slice name", options.name));
    if (!options.resources.anyGiven() && options.balance.empty() && options.on_node_loss.empty())
        return invalidArgument("say what to change, such as --memory 256M");
    v1::SetSliceRequest change;
    change.set_name(options.name);
    HS_ASSIGN_OR_RETURN(*change.mutable_resources(), options.resources.value());
    if (!options.balance.empty()) {
        HS_ASSIGN_OR_RETURN(const Balance balance, parseBalanceOption("--balance", options.balance));
        change.set_balance(wire::toMessage(balance));
    }
    if (!options.on_node_loss.empty()) {
        HS_ASSIGN_OR_RETURN(const v1::OnNodeLoss on_node_loss, parseOnNodeLoss(options.on_node_loss));
        change.set_on_node_loss(on_node_loss);
    }
    const OperationStory story{
        .label = "slice " + options.name,
        .look = "slicectl slice show " + options.name,
        .start = [&](Client& client) { return client.setSlice(change); },
        .outcome =
            [](const v1::Operation& ended) {
                return "the new settings hold for " + sliversText(ended.total()) + ", after " + elapsedText(ended);
            },
        .print = [&](Client& client, const v1::Operation&) { return printSlice(context, client, options.name); }};
    return runOperation(context, options.wait, story);
}

}  // namespace

void declareSliceSet(CLI::App& slice, Context& context) {
    CLI::App* const app = slice.add_subcommand(
        "set", "Change the limits of a slice's slivers, or how they share its address, while they run");
    const auto options = std::make_shared<SetOptions>();
    app->add_option("NAME", options->name, "Name of the slice")->required();
    addWaitOptions(*app, options->wait);
    app->add_option("--balance", options->balance,
                    "How the flows to its address spread: hash, round-robin, least-load or nearest")
        ->type_name("HOW");
    declareOnNodeLoss(*app, options->on_node_loss);
    options->resources.declare(*app);
    app->footer(
        "What is not given stays as it is.\n\n"
        "Example: slicectl slice set web --memory 256M --cpus none");
    context.setAction(*app, CommandTail::none, [&context, options] { return set(context, *options); });
}

}  // namespace homeslice::ctl
