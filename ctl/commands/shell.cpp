#include <memory>

#include "base/status.h"
#include "ctl/commands/commands.h"
#include "ctl/commands/parse.h"
#include "ctl/commands/session.h"
#include "ctl/commands/targets.h"

namespace homeslice::ctl {
namespace {

// A shell that cannot exec ends, so it asks first.
constexpr const char* kLoginShell = "if command -v bash >/dev/null; then exec bash -l; fi; exec sh -l";

absl::StatusOr<int> shell(Context& context, const std::string& target, const std::string& user) {
    HS_ASSIGN_OR_RETURN(SliverRef ref, parseSliverRef(target));
    ref.index = ref.index.value_or(1);
    HS_ASSIGN_OR_RETURN(Client* const client, context.client());
    v1::ExecStart start;
    *start.mutable_sliver() = idOf(ref);
    for (const char* word : {"sh", "-c", kLoginShell}) start.add_argv(word);
    start.set_user(user);
    start.set_tty(context.io().in_is_terminal);
    return runSession(context, *client, std::move(start));
}

}  // namespace

void registerShell(CLI::App& app, Context& context) {
    CLI::App* const command = app.add_subcommand("shell", "Open a login shell in a sliver: bash, else sh");
    const auto target = std::make_shared<std::string>();
    const auto user = std::make_shared<std::string>();
    command->add_option("SLICE[/INDEX]", *target, "The sliver; default: the slice's first")->required();
    command->add_option("-u,--user", *user, "As this user of the sliver's; default: the sliver's own")
        ->type_name("USER[:GROUP]");
    command->footer(
        "Control-P control-Q detaches: the shell goes on without you, until the sliver ends. Input that is no\n"
        "terminal is run as a script.\n\n"
        "Example: slicectl shell web/2");
    context.setAction(*command, CommandTail::none, [&context, target, user] { return shell(context, *target, *user); });
}

}  // namespace homeslice::ctl
