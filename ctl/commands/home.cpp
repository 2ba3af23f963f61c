#include "base/status.h"
#include "ctl/client/client.h"
#include "ctl/commands/commands.h"
#include "ctl/commands/views.h"

namespace homeslice::ctl {
namespace {

absl::StatusOr<int> list(Context& context) {
    HS_ASSIGN_OR_RETURN(Client* const client, context.client());
    HS_ASSIGN_OR_RETURN(const v1::ListBindingsResponse response, client->listBindings());
    printList(context.io(), context.format(), bindingColumns(), listOf(response.bindings(), bindingValue));
    return 0;
}

}  // namespace

void registerHome(CLI::App& app, Context& context) {
    CLI::App* const home = app.add_subcommand("home", "Home addresses and where their packets go");
    home->require_subcommand(1);
    CLI::App* const ls = home->add_subcommand("ls", "List the bindings that the home agents hold");
    ls->footer("Example: slicectl home ls -o wide");
    context.setAction(*ls, CommandTail::none, [&context] { return list(context); });
}

}  // namespace homeslice::ctl
