#include <memory>

#include "base/names.h"
#include "base/status.h"
#include "ctl/client/client.h"
#include "ctl/commands/commands.h"
#include "ctl/commands/operation.h"
#include "ctl/commands/parse.h"
#include "ctl/commands/sliver_share.h"
#include "ctl/commands/targets.h"
#include "ctl/commands/views.h"
#include "ctl/commands/watch.h"

namespace homeslice::ctl {
namespace {

struct MoveOptions {
    std::string sliver;
    std::string to;
    WaitOptions wait;
};

absl::StatusOr<int> list(Context& context, const std::string& slice) {
    HS_ASSIGN_OR_RETURN(Client* const client, context.client());
    HS_ASSIGN_OR_RETURN(const v1::ListSliversResponse response, client->listSlivers(slice));
    printList(context.io(), context.format(), sliverColumns(), listOf(response.slivers(), sliverValue));
    return 0;
}

absl::StatusOr<int> show(Context& context, const std::string& name) {
    HS_ASSIGN_OR_RETURN(const SliverRef ref, parseOneSliver(name));
    HS_ASSIGN_OR_RETURN(Client* const client, context.client());
    HS_ASSIGN_OR_RETURN(const v1::Sliver sliver, client->getSliver(idOf(ref)));
    printObject(context.io(), context.format(), sliverColumns(), sliverValue(sliver));
    return 0;
}

absl::StatusOr<int> move(Context& context, const MoveOptions& options) {
    HS_ASSIGN_OR_RETURN(const SliverRef ref, parseOneSliver(options.sliver));
    HS_RETURN_IF_ERROR(checkName("node name", options.to));
    const v1::SliverId id = idOf(ref);
    const OperationStory story{
        .label = "sliver " + nameOf(id),
        .look = "slicectl sliver show " + nameOf(id),
        .start = [&](Client& client) { return client.moveSliver(id, options.to); },
        .outcome = [&](const v1::Operation& ended) { return "moved to " + options.to + " in " + elapsedText(ended); },
        .print = [&](Client&, const v1::Operation& ended) { return printEnded(context, ended); }};
    return runOperation(context, options.wait, story);
}

struct FreezeOptions {
    bool frozen = false;
    std::string target;
    WaitOptions wait;
};

absl::StatusOr<int> setFrozen(Context& context, const FreezeOptions& options) {
    HS_ASSIGN_OR_RETURN(const SliverRef ref, parseSliverRef(options.target));
    const OperationStory story{
        .label = (ref.index ? "sliver " : "slice ") + options.target,
        .look = (ref.index ? "slicectl sliver show " : "slicectl slice show ") + options.target,
        .start = [&](Client& client) { return client.setFrozen(idOf(ref), options.frozen); },
        .outcome =
            [&](const v1::Operation& ended) {
                const bool one = ended.total() == 1;
                const std::string does =
                    options.frozen ? (one ? " stands still" : " stand still") : (one ? " goes on" : " go on");
                return sliversText(ended.total()) + does + ", after " + elapsedText(ended);
            },
        .print = [&](Client&, const v1::Operation& ended) { return printEnded(context, ended); }};
    return runOperation(context, options.wait, story);
}

void declareFreezeAndThaw(CLI::App& sliver, Context& context) {
    for (const bool frozen : {true, false}) {
        const std::string name = frozen ? "freeze" : "thaw";
        CLI::App* const app = sliver.add_subcommand(
            name, frozen ? "Let all processes of a sliver stand still, in memory as they are" : "Let them go on");
        const auto options = std::make_shared<FreezeOptions>();
        options->frozen = frozen;
        app->add_option("SLICE[/INDEX]", options->target, "One sliver, or all of a slice")->required();
        addWaitOptions(*app, options->wait);
        app->footer("Example: slicectl sliver " + name + " web/2");
        context.setAction(*app, CommandTail::none, [&context, options] { return setFrozen(context, *options); });
    }
}

void declareMove(CLI::App& sliver, Context& context) {
    CLI::App* const app = sliver.add_subcommand(
        "move", "Move a sliver to another node: stop, carry its disk over, start; its home address stays");
    const auto options = std::make_shared<MoveOptions>();
    app->add_option("SLIVER", options->sliver, "SLICE/INDEX")->required();
    app->add_option("--to", options->to, "The node that it goes to")->type_name("NODE")->required();
    addWaitOptions(*app, options->wait);
    app->footer("Example: slicectl sliver move web/2 --to node3");
    context.setAction(*app, CommandTail::none, [&context, options] { return move(context, *options); });
}

}  // namespace

void registerSliver(CLI::App& app, Context& context) {
    CLI::App* const sliver = app.add_subcommand("sliver", "Parts of slices, one isolated environment each");
    sliver->require_subcommand(1);
    const auto name = std::make_shared<std::string>();

    CLI::App* const ls = sliver->add_subcommand("ls", "List the slivers of a slice, or of all");
    ls->add_option("SLICE", *name, "Name of the slice");
    const auto follow = std::make_shared<bool>(false);
    ls->add_flag("-w,--watch", *follow, kWatchHelp);
    ls->footer("Example: slicectl sliver ls web\n         slicectl sliver ls web --watch");
    context.setAction(*ls, CommandTail::none, [&context, name, follow]() -> absl::StatusOr<int> {
        if (!name->empty()) HS_RETURN_IF_ERROR(checkName("slice name", *name));
        return *follow ? watchList(context, v1::WATCH_KIND_SLIVER, *name) : list(context, *name);
    });

    CLI::App* const show_sliver = sliver->add_subcommand("show", "Show one sliver");
    show_sliver->add_option("SLIVER", *name, "SLICE/INDEX")->required();
    show_sliver->footer("Example: slicectl sliver show web/2");
    context.setAction(*show_sliver, CommandTail::none, [&context, name] { return show(context, *name); });

    declareMove(*sliver, context);
    declareFreezeAndThaw(*sliver, context);
    declareSliverShare(*sliver, context);
}

}  // namespace homeslice::ctl
