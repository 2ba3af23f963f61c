// `slicectl operation`: what runs, what ran, and how to end it.
#include <algorithm>
#include <memory>

#include "base/status.h"
#include "ctl/client/client.h"
#include "ctl/commands/commands.h"
#include "ctl/commands/parse.h"
#include "ctl/commands/views.h"

namespace homeslice::ctl {
namespace {

constexpr uint32_t kMostShown = 2000;  // the controller keeps fewer

struct ListOptions {
    std::string subject;
    bool running = false;
    std::string tail = "100";
};

absl::Status checkId(const std::string& id) {
    constexpr size_t kLongest = 64;
    const auto fits = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-'; };
    if (!id.empty() && id.size() <= kLongest && std::all_of(id.begin(), id.end(), fits)) return absl::OkStatus();
    return invalidArgument("operation '" + id.substr(0, kLongest) + "' is not valid: see slicectl operation ls");
}

absl::StatusOr<int> list(Context& context, const ListOptions& options) {
    v1::ListOperationsRequest request;
    request.set_subject(options.subject);
    request.set_running(options.running);
    HS_ASSIGN_OR_RETURN(const uint32_t newest, parseCount("--tail", options.tail, kMostShown));
    request.set_newest(newest);
    HS_ASSIGN_OR_RETURN(Client* const client, context.client());
    HS_ASSIGN_OR_RETURN(const v1::ListOperationsResponse response, client->listOperations(request));
    printList(context.io(), context.format(), operationColumns(), listOf(response.operations(), operationValue));
    return 0;
}

absl::StatusOr<int> show(Context& context, const std::string& id) {
    HS_RETURN_IF_ERROR(checkId(id));
    HS_ASSIGN_OR_RETURN(Client* const client, context.client());
    HS_ASSIGN_OR_RETURN(const v1::Operation operation, client->getOperation(id));
    const Value value = operationValue(operation);
    printObject(context.io(), context.format(), operationColumns(), value);
    const bool tables = context.format() == OutputFormat::table || context.format() == OutputFormat::wide;
    if (tables && operation.failures_size() > 0) {
        context.io().out << '\n';
        printList(context.io(), context.format(), failureColumns(), value.at("failures"));
    }
    return 0;
}

absl::StatusOr<int> cancel(Context& context, const std::string& id) {
    HS_RETURN_IF_ERROR(checkId(id));
    HS_ASSIGN_OR_RETURN(Client* const client, context.client());
    HS_ASSIGN_OR_RETURN(const v1::Operation operation, client->cancelOperation(id));
    printObject(context.io(), context.format(), operationColumns(), operationValue(operation));
    return 0;
}

}  // namespace

void registerOperation(CLI::App& app, Context& context) {
    CLI::App* const operation =
        app.add_subcommand("operation", "Requests that take their time: how they go on, how they ended");
    operation->require_subcommand(1);

    CLI::App* const ls = operation->add_subcommand("ls", "List the operations that run, and those that ended last");
    const auto options = std::make_shared<ListOptions>();
    ls->add_option("SUBJECT", options->subject, "Only those about this slice, sliver, node or image");
    ls->add_flag("--running", options->running, "Only those that have not ended");
    ls->add_option("--tail", options->tail, "So many of the newest")->type_name("N")->capture_default_str();
    ls->footer("Example: slicectl operation ls web --running");
    context.setAction(*ls, CommandTail::none, [&context, options] { return list(context, *options); });

    const auto id = std::make_shared<std::string>();
    CLI::App* const one = operation->add_subcommand("show", "Show one operation, and what failed of it");
    one->add_option("ID", *id, "Of slicectl operation ls")->required();
    one->footer("Example: slicectl operation show 0a1b2c3d4e5f60718293a4b5c6d7e8f9");
    context.setAction(*one, CommandTail::none, [&context, id] { return show(context, *id); });

    CLI::App* const end = operation->add_subcommand("cancel", "End an operation now, whatever it waits for");
    end->add_option("ID", *id, "Of slicectl operation ls")->required();
    end->footer(
        "A creation takes its slice away again, moves go back to where they came from, a freeze is thawed. What nodes\n"
        "have to do for that they do when they can be reached.\n\n"
        "Example: slicectl operation cancel 0a1b2c3d4e5f60718293a4b5c6d7e8f9");
    context.setAction(*end, CommandTail::none, [&context, id] { return cancel(context, *id); });
}

}  // namespace homeslice::ctl
