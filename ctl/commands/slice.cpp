#include <memory>

#include "base/names.h"
#include "base/status.h"
#include "ctl/client/client.h"
#include "ctl/commands/commands.h"
#include "ctl/commands/operation.h"
#include "ctl/commands/parse.h"
#include "ctl/commands/views.h"

namespace homeslice::ctl {
namespace {

constexpr uint32_t kMostNodes = 65535;
constexpr uint32_t kMostSlivers = 65535;
constexpr uint32_t kMostPids = 4194304;  // PID_MAX_LIMIT of the kernel

// Options as typed; empty means not given.
struct CreateOptions {
    std::string name;
    std::string image;
    std::string nodes;
    std::string on;
    std::string slivers;
    std::string cpus;
    std::string memory;
    std::string pids;
    std::vector<std::string> expose;
    std::string lease;
    WaitOptions wait;
    // Given or not; CLI11 leaves a given empty value the same as an absent one.
    CLI::App* app = nullptr;
    bool given(const std::string& option) const { return app->count(option) > 0; }
};

absl::Status setNodes(const CreateOptions& options, v1::CreateSliceRequest& request) {
    if (options.given("--nodes") == options.given("--on")) {
        return invalidArgument("say where: either --nodes N (any N nodes) or --on NODE,NODE (these)");
    }
    if (options.given("--nodes")) {
        HS_ASSIGN_OR_RETURN(const uint32_t count, parseCount("--nodes", options.nodes, kMostNodes));
        request.set_node_count(count);
    } else {
        HS_ASSIGN_OR_RETURN(const std::vector<std::string> names, parseNames("--on", options.on));
        request.mutable_nodes()->Add(names.begin(), names.end());
    }
    if (options.given("--slivers")) {
        HS_ASSIGN_OR_RETURN(const uint32_t count, parseCount("--slivers", options.slivers, kMostSlivers));
        request.set_sliver_count(count);
    }
    return absl::OkStatus();
}

absl::Status setResources(const CreateOptions& options, v1::Resources& resources) {
    if (options.given("--cpus")) {
        HS_ASSIGN_OR_RETURN(const uint32_t millis, parseCpus("--cpus", options.cpus));
        resources.set_cpu_millis(millis);
    }
    if (options.given("--memory")) {
        HS_ASSIGN_OR_RETURN(const uint64_t bytes, parseSize("--memory", options.memory));
        resources.set_memory_bytes(bytes);
    }
    if (options.given("--pids")) {
        HS_ASSIGN_OR_RETURN(const uint32_t count, parseCount("--pids", options.pids, kMostPids));
        resources.set_pids(count);
    }
    return absl::OkStatus();
}

absl::Status setExposed(const CreateOptions& options, v1::SliverTemplate& base) {
    HS_ASSIGN_OR_RETURN(const std::vector<PortSpec> ports, parsePorts("--expose", options.expose));
    for (const PortSpec& port : ports) {
        v1::ExposedPort* const exposed = base.add_exposed();
        exposed->set_protocol(static_cast<v1::Protocol>(port.protocol));
        exposed->set_port(port.port);
    }
    return absl::OkStatus();
}

// Seconds; 0, the controller's default, when the option is absent.
absl::StatusOr<uint32_t> leaseSeconds(bool given, const std::string& text) {
    if (!given) return 0;
    HS_ASSIGN_OR_RETURN(const std::chrono::seconds lease, parseDuration("--lease", text));
    return static_cast<uint32_t>(lease.count());
}

absl::StatusOr<v1::CreateSliceRequest> requestOf(const CreateOptions& options, const std::vector<std::string>& argv) {
    HS_RETURN_IF_ERROR(checkName("slice name", options.name));
    HS_RETURN_IF_ERROR(checkName("image name", options.image));
    v1::CreateSliceRequest request;
    request.set_name(options.name);
    v1::SliverTemplate& base = *request.mutable_base();
    base.set_image(options.image);
    HS_RETURN_IF_ERROR(setNodes(options, request));
    HS_RETURN_IF_ERROR(setResources(options, *base.mutable_resources()));
    HS_RETURN_IF_ERROR(setExposed(options, base));
    HS_ASSIGN_OR_RETURN(const uint32_t lease, leaseSeconds(options.given("--lease"), options.lease));
    request.set_lease_s(lease);
    base.mutable_argv()->Add(argv.begin(), argv.end());
    return request;
}

// The slice, and its slivers under "placement".
absl::Status printSlice(Context& context, Client& client, const std::string& name) {
    HS_ASSIGN_OR_RETURN(const v1::Slice slice, client.getSlice(name));
    HS_ASSIGN_OR_RETURN(const v1::ListSliversResponse slivers, client.listSlivers(name));
    Value value = sliceValue(slice);
    value["placement"] = listOf(slivers.slivers(), sliverValue);
    printObject(context.io(), context.format(), sliceColumns(), value);
    if (context.format() == OutputFormat::table || context.format() == OutputFormat::wide) {
        context.io().out << '\n';
        printList(context.io(), context.format(), sliverColumns(), value["placement"]);
    }
    return absl::OkStatus();
}

absl::StatusOr<int> create(Context& context, const CreateOptions& options) {
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
        .print =
            [&](Client&, const v1::Operation& ended) {
                const bool tree = context.format() == OutputFormat::json || context.format() == OutputFormat::yaml;
                if (tree) printTree(context.io(), context.format(), operationValue(ended));
                return absl::OkStatus();
            }};
    return runOperation(context, wait, story);
}

void declareCreate(CLI::App& slice, Context& context) {
    CLI::App* const app = slice.add_subcommand("create", "Start slivers of an image on some nodes, as one slice");
    const auto options = std::make_shared<CreateOptions>();
    options->app = app;
    app->add_option("NAME", options->name, "Lower-case letters, digits and hyphens, at most 40")->required();
    app->add_option("--image", options->image, "Name of an image (slicectl image ls)")->type_name("IMAGE")->required();
    app->add_option("--nodes", options->nodes, "On this many nodes, least loaded first")->type_name("N");
    app->add_option("--on", options->on, "On exactly these nodes")->type_name("NODE,NODE");
    app->add_option("--slivers", options->slivers, "Spread over the nodes; default: one each")->type_name("K");
    app->add_option("--cpus", options->cpus, "Limit of each sliver, such as 1.5")->type_name("C");
    app->add_option("--memory", options->memory, "Limit of each sliver, such as 512M or 2G")->type_name("SIZE");
    app->add_option("--pids", options->pids, "Limit of processes and threads of each sliver")->type_name("P");
    app->add_option("--expose", options->expose, "Ports open to the outside, such as 80/tcp,53/udp; may be repeated")
        ->type_name("PORT")
        ->allow_extra_args(false);
    app->add_option("--lease", options->lease, "How long it lives unless renewed, such as 12h or 7d")
        ->type_name("DURATION");
    addWaitOptions(*app, options->wait);
    app->footer(
        "CMD runs instead of the image's own command.\n\n"
        "Example: slicectl slice create web --image debian --nodes 3 --memory 128M --expose 80/tcp -- nginx");
    context.setAction(*app, CommandTail::optional, [&context, options] { return create(context, *options); });
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

void registerSlice(CLI::App& app, Context& context) {
    CLI::App* const slice = app.add_subcommand("slice", "Slivers on many nodes, with one owner, image and lease");
    slice->require_subcommand(1);
    declareCreate(*slice, context);

    CLI::App* const ls = slice->add_subcommand("ls", "List the slices");
    ls->footer("Example: slicectl slice ls -o wide");
    context.setAction(*ls, CommandTail::none, [&context] { return list(context); });

    CLI::App* const show_slice = slice->add_subcommand("show", "Show one slice and its slivers");
    const auto name = std::make_shared<std::string>();
    show_slice->add_option("NAME", *name, "Name of the slice")->required();
    show_slice->footer("Example: slicectl slice show web");
    context.setAction(*show_slice, CommandTail::none, [&context, name] { return show(context, *name); });

    declareRenew(*slice, context);
    declareRemove(*slice, context);
}

}  // namespace homeslice::ctl
