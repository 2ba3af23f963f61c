#include <memory>

#include "base/names.h"
#include "base/status.h"
#include "ctl/client/client.h"
#include "ctl/commands/commands.h"
#include "ctl/commands/operation.h"
#include "ctl/commands/parse.h"
#include "ctl/commands/slice_parts.h"
#include "ctl/commands/views.h"
#include "ctl/commands/watch.h"
#include "ctl/output/table.h"

namespace homeslice::ctl {
namespace {

absl::StatusOr<int> list(Context& context) {
    HS_ASSIGN_OR_RETURN(Client* const client, context.client());
    HS_ASSIGN_OR_RETURN(const v1::ListSlicesResponse response, client->listSlices());
    printList(context.io(), context.format(), sliceColumns(), listOf(response.slices(), sliceValue));
    return 0;
}

absl::StatusOr<int> show(Context& context, const std::string& name) {
    HS_RETURN_IF_ERROR(checkName("slice name", name));
    HS_ASSIGN_OR_RETURN(Client* const client, context.client());
    HS_RETURN_IF_ERROR(printSlice(context, *client, name));
    return 0;
}

absl::StatusOr<int> renew(Context& context, const std::string& name, bool given, const std::string& lease) {
    HS_RETURN_IF_ERROR(checkName("slice name", name));
    HS_ASSIGN_OR_RETURN(const uint32_t seconds, leaseSeconds(given, lease));
    HS_ASSIGN_OR_RETURN(Client* const client, context.client());
    HS_ASSIGN_OR_RETURN(const v1::Slice slice, client->renewSlice(name, seconds));
    const std::string& note = slice.lease_note();
    if (!note.empty()) {
        context.io().err << printable("slicectl: the lease is shorter than what was asked for: " + note) << '\n';
    }
    printObject(context.io(), context.format(), sliceColumns(), sliceValue(slice));
    return 0;
}

absl::StatusOr<int> remove(Context& context, const std::string& name, const WaitOptions& wait) {
    HS_RETURN_IF_ERROR(checkName("slice name", name));
    const OperationStory story{
        .label = "slice " + name,
        .look = "slicectl slice show " + name,
        .start = [&](Client& client) { return client.deleteSlice(name); },
        .outcome = [](const v1::Operation& ended) { return "gone, after " + elapsedText(ended); },
        .print = [&](Client&, const v1::Operation& ended) { return printEnded(context, ended); }};
    return runOperation(context, wait, story);
}

void declareRenew(CLI::App& slice, Context& context) {
    CLI::App* const app = slice.add_subcommand("renew", "Let a slice live longer, counted from now");
    const auto name = std::make_shared<std::string>();
    const auto lease = std::make_shared<std::string>();
    app->add_option("NAME", *name, "Name of the slice")->required();
    const CLI::Option* const option =
        app->add_option("--lease", *lease, "Such as 12h or 7d; default: the controller's")->type_name("DURATION");
    app->footer("Example: slicectl slice renew web --lease 14d");
    context.setAction(*app, CommandTail::none,
                      [&context, name, lease, option] { return renew(context, *name, option->count() > 0, *lease); });
}

void declareRemove(CLI::App& slice, Context& context) {
    CLI::App* const app = slice.add_subcommand("rm", "Remove a slice with all its slivers and their disks");
    const auto name = std::make_shared<std::string>();
    const auto wait = std::make_shared<WaitOptions>();
    app->add_option("NAME", *name, "Name of the slice")->required();
    addWaitOptions(*app, *wait);
    app->footer("Example: slicectl slice rm web");
    context.setAction(*app, CommandTail::none, [&context, name, wait] { return remove(context, *name, *wait); });
}

}  // namespace

absl::Status printSlice(Context& context, Client& client, const std::string& name) {
    HS_ASSIGN_OR_RETURN(const v1::Slice slice, client.getSlice(name));
    HS_ASSIGN_OR_RETURN(const v1::ListSliversResponse slivers, client.listSlivers(name));
    Value value = sliceValue(slice);
    value["totals"] = totalsValue(slivers);
    value["placement"] = listOf(slivers.slivers(), sliverValue);
    printObject(context.io(), context.format(), sliceDetails(), value);
    if (context.format() == OutputFormat::table || context.format() == OutputFormat::wide) {
        context.io().out << '\n';
        printList(context.io(), context.format(), sliverColumns(), value["placement"]);
    }
    return absl::OkStatus();
}

absl::StatusOr<uint32_t> leaseSeconds(bool given, const std::string& text) {
    if (!given) return 0;
    HS_ASSIGN_OR_RETURN(const std::chrono::seconds lease, parseDuration("--lease", text));
    return static_cast<uint32_t>(lease.count());
}

void registerSlice(CLI::App& app, Context& context) {
    CLI::App* const slice = app.add_subcommand("slice", "Slivers on many nodes, with one owner, image and lease");
    slice->require_subcommand(1);
    declareSliceCreate(*slice, context);
    declareSlicePlan(*slice, context);

    CLI::App* const ls = slice->add_subcommand("ls", "List the slices");
    const auto follow = std::make_shared<bool>(false);
    ls->add_flag("-w,--watch", *follow, kWatchHelp);
    ls->footer(
        "In its last day a slice is `ending`: renew it, or its slivers are frozen.\n\n"
        "Example: slicectl slice ls -o wide\n"
        "         slicectl slice ls --watch");
    context.setAction(*ls, CommandTail::none, [&context, follow] {
        return *follow ? watchList(context, v1::WATCH_KIND_SLICE, "") : list(context);
    });

    CLI::App* const show_slice = slice->add_subcommand("show", "Show one slice and its slivers");
    const auto name = std::make_shared<std::string>();
    show_slice->add_option("NAME", *name, "Name of the slice")->required();
    show_slice->footer("Example: slicectl slice show web");
    context.setAction(*show_slice, CommandTail::none, [&context, name] { return show(context, *name); });

    declareSliceSet(*slice, context);
    declareSliceShare(*slice, context);
    declareSliceLoans(*slice, context);
    declareRenew(*slice, context);
    declareRemove(*slice, context);
}

}  // namespace homeslice::ctl
