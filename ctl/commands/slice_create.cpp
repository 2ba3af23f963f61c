#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>

#include "base/names.h"
#include "base/status.h"
#include "ctl/client/client.h"
#include "ctl/commands/operation.h"
#include "ctl/commands/parse.h"
#include "ctl/commands/placement_options.h"
#include "ctl/commands/resource_options.h"
#include "ctl/commands/slice_parts.h"
#include "ctl/commands/template_options.h"
#include "ctl/commands/views.h"
#include "spec/wire/convert.h"

namespace homeslice::ctl {
namespace {

// Options as typed; empty means not given.
struct CreateOptions {
    std::string name;
    std::string image;
    PlacementOptions where;
    ResourceOptions resources;
    TemplateOptions base;
    std::vector<std::string> expose;
    std::string lease;
    bool dry_run = false;
    WaitOptions wait;
    // Given or not; CLI11 leaves a given empty value the same as an absent one.
    CLI::App* app = nullptr;
    bool given(const std::string& option) const { return app->count(option) > 0; }
};

absl::StatusOr<SliverTemplate> templateOf(const CreateOptions& options, const std::vector<std::string>& argv) {
    SliverTemplate base;
    base.image = options.image;
    base.argv = argv;
    HS_ASSIGN_OR_RETURN(const v1::Resources limits, options.resources.value());
    HS_ASSIGN_OR_RETURN(base.resources, wire::changed({}, limits));
    HS_RETURN_IF_ERROR(options.base.apply(base));
    HS_ASSIGN_OR_RETURN(const std::vector<PortSpec> ports, parsePorts("--expose", options.expose));
    for (const PortSpec& port : ports) base.exposed.push_back({.protocol = port.protocol, .port = port.port});
    HS_RETURN_IF_ERROR(check(base));
    return base;
}

absl::StatusOr<v1::CreateSliceRequest> requestOf(const CreateOptions& options, const std::vector<std::string>& argv) {
    HS_RETURN_IF_ERROR(checkName("slice name", options.name));
    v1::CreateSliceRequest request;
    request.set_name(options.name);
    HS_RETURN_IF_ERROR(options.where.apply(request));
    HS_ASSIGN_OR_RETURN(const SliverTemplate base, templateOf(options, argv));
    *request.mutable_base() = wire::toMessage(base);
    HS_ASSIGN_OR_RETURN(const uint32_t lease, leaseSeconds(options.given("--lease"), options.lease));
    request.set_lease_s(lease);
    return request;
}

absl::StatusOr<int> plan(Context& context, const CreateOptions& options) {
    HS_ASSIGN_OR_RETURN(const v1::CreateSliceRequest request, requestOf(options, context.command()));
    HS_ASSIGN_OR_RETURN(Client* const client, context.client());
    HS_ASSIGN_OR_RETURN(const v1::SlicePlan planned, client->planSlice(request));
    if (context.format() == OutputFormat::json || context.format() == OutputFormat::yaml) {
        printTree(context.io(), context.format(), planValue(planned));
        return 0;
    }
    printList(context.io(), context.format(), placeColumns(), planValue(planned)["places"]);
    for (const v1::SlicePlan::Exclusion& exclusion : planned.exclusions()) {
        context.io().err << fmt::format("not on {}: {}\n", fmt::join(exclusion.nodes(), ", "), exclusion.reason());
    }
    return 0;
}

absl::StatusOr<int> create(Context& context, const CreateOptions& options) {
    if (options.dry_run) return plan(context, options);
    HS_ASSIGN_OR_RETURN(const v1::CreateSliceRequest request, requestOf(options, context.command()));
    const OperationStory story{
        .label = "slice " + options.name,
        .look = "slicectl slice show " + options.name,
        .start = [&](Client& client) { return client.createSlice(request); },
        .outcome =
            [](const v1::Operation& ended) {
                return sliversText(ended.total()) + (ended.total() == 1 ? " runs, after " : " run, after ") +
                       elapsedText(ended);
            },
        .print = [&](Client& client, const v1::Operation&) { return printSlice(context, client, options.name); }};
    return runOperation(context, options.wait, story);
}

std::shared_ptr<CreateOptions> declareOptions(CLI::App& app) {
    auto options = std::make_shared<CreateOptions>();
    options->app = &app;
    app.add_option("NAME", options->name, "Lower-case letters, digits and hyphens, at most 40")->required();
    app.add_option("--image", options->image, "Name of an image (slicectl image ls)")->type_name("IMAGE")->required();
    options->where.declare(app);
    app.add_option("--expose", options->expose, "Ports open to the outside, such as 80/tcp,53/udp; may be repeated")
        ->type_name("PORT")
        ->allow_extra_args(false);
    app.add_option("--lease", options->lease, "How long it lives unless renewed, such as 12h or 7d")
        ->type_name("DURATION");
    options->resources.declare(app);
    options->base.declare(app);
    return options;
}

}  // namespace

void declareSliceCreate(CLI::App& slice, Context& context) {
    CLI::App* const app = slice.add_subcommand("create", "Start slivers of an image on some nodes, as one slice");
    const auto options = declareOptions(*app);
    app->add_flag("--dry-run", options->dry_run, "Only show where its slivers would be, and why, as slice plan does");
    addWaitOptions(*app, options->wait);
    app->footer(
        "CMD runs instead of the image's own command.\n\n"
        "Example: slicectl slice create web --image debian --nodes 3 --memory 128M --expose 80/tcp -- nginx");
    context.setAction(*app, CommandTail::optional, [&context, options] { return create(context, *options); });
}

void declareSlicePlan(CLI::App& slice, Context& context) {
    CLI::App* const app = slice.add_subcommand("plan", "Show where slice create would start slivers, and why there");
    const auto options = declareOptions(*app);
    app->footer(
        "Takes the options of slice create and changes nothing. Exit status 2: the slivers cannot be placed.\n\n"
        "Example: slicectl slice plan web --image debian --slivers 6 --spread-over rack --cpu-reserve 0.5");
    context.setAction(*app, CommandTail::optional, [&context, options] { return plan(context, *options); });
}

}  // namespace homeslice::ctl
