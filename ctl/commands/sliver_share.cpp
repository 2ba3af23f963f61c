#include "ctl/commands/sliver_share.h"

#include <memory>
#include <optional>

#include "base/status.h"
#include "ctl/client/client.h"
#include "ctl/commands/operation.h"
#include "ctl/commands/parse.h"
#include "ctl/commands/targets.h"
#include "spec/balance.h"

namespace homeslice::ctl {
namespace {

struct ShareOptions {
    std::string target;
    std::optional<bool> draining;
    std::string weight;
    WaitOptions wait;
};

absl::StatusOr<int> setShare(Context& context, const ShareOptions& options) {
    HS_ASSIGN_OR_RETURN(const SliverRef ref, parseSliverRef(options.target));
    v1::SetSliceRequest change;
    change.set_name(ref.slice);
    v1::ShareChange& share = *change.add_shares();
    share.set_index(ref.index.value_or(0));
    if (options.draining) share.set_draining(*options.draining);
    if (!options.weight.empty()) {
        HS_ASSIGN_OR_RETURN(const uint32_t weight, parseCount("WEIGHT", options.weight, kMaxWeight));
        share.set_weight(weight);
    }
    const OperationStory story{
        .label = (ref.index ? "sliver " : "slice ") + options.target,
        .look = (ref.index ? "slicectl sliver show " : "slicectl slice show ") + options.target,
        .start = [&](Client& client) { return client.setSlice(change); },
        .outcome = [&](const v1::Operation&) -> std::string {
            if (!options.draining) return "has weight " + options.weight;
            return *options.draining ? "takes no new flow; those that it has go on" : "takes new flows again";
        },
        .print = [&](Client&, const v1::Operation& ended) { return printEnded(context, ended); }};
    return runOperation(context, options.wait, story);
}

CLI::App* declare(CLI::App& sliver, const std::string& name, const std::string& help,
                  const std::shared_ptr<ShareOptions>& options) {
    CLI::App* const app = sliver.add_subcommand(name, help);
    app->add_option("SLICE[/INDEX]", options->target, "One sliver, or all of a slice")->required();
    addWaitOptions(*app, options->wait);
    return app;
}

}  // namespace

void declareSliverShare(CLI::App& sliver, Context& context) {
    for (const bool draining : {true, false}) {
        const std::string name = draining ? "drain" : "undrain";
        const auto options = std::make_shared<ShareOptions>();
        options->draining = draining;
        CLI::App* const app = declare(sliver, name,
                                      draining ? "Give a sliver no new flows to its slice's address; the old ones go on"
                                               : "Give it new flows again",
                                      options);
        app->footer("Example: slicectl sliver " + name + " web/2");
        context.setAction(*app, CommandTail::none, [&context, options] { return setShare(context, *options); });
    }
    const auto options = std::make_shared<ShareOptions>();
    CLI::App* const app =
        declare(sliver, "weight", "Set a sliver's share of the flows to its slice's address", options);
    app->add_option("WEIGHT", options->weight, "1 to 1000, beside the others' weights; 1 unless set")->required();
    app->footer("Example: slicectl sliver weight web/2 3");
    context.setAction(*app, CommandTail::none, [&context, options] { return setShare(context, *options); });
}

}  // namespace homeslice::ctl
