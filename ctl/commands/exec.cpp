#include <algorithm>
#include <memory>
#include <mutex>
#include <thread>

#include "base/status.h"
#include "ctl/client/client.h"
#include "ctl/client/exit_status.h"
#include "ctl/commands/commands.h"
#include "ctl/commands/label_writer.h"
#include "ctl/commands/parse.h"
#include "ctl/commands/session.h"
#include "ctl/commands/targets.h"
#include "ctl/commands/views.h"

namespace homeslice::ctl {
namespace {

struct ExecOptions {
    std::string target;
    bool interactive = false;
    bool terminal = false;
    bool detached = false;
    std::string user;
    std::string directory;
    std::vector<std::string> environment;
};

v1::ExecStart startOf(const ExecOptions& options, const v1::SliverId& id, const std::vector<std::string>& argv) {
    v1::ExecStart start;
    *start.mutable_sliver() = id;
    start.mutable_argv()->Add(argv.begin(), argv.end());
    start.mutable_env()->Add(options.environment.begin(), options.environment.end());
    start.set_working_directory(options.directory);
    start.set_user(options.user);
    start.set_tty(options.terminal);
    start.set_detached(options.detached);
    return start;
}

// One of several: lines get the sliver's name. A call that fails is a line on stderr too.
int execLabelled(const Io& io, Client& client, const v1::ExecStart& start, std::mutex& mutex) {
    const std::string label = nameOf(start.sliver());
    absl::StatusOr<std::optional<int>> result;
    {
        LabelWriter out(io.out, mutex, label);
        LabelWriter err(io.err, mutex, label);
        result = client.exec(
            start, {}, [&](const std::string& data) { out.write(data); },
            [&](const std::string& data) { err.write(data); });
    }
    if (result.ok()) return result->value_or(kExitOk);
    LabelWriter(io.err, mutex, "").write("slicectl: " + label + ": " + messageOf(result.status()) + "\n");
    return exitStatusOf(result.status());
}

int execInAll(Context& context, Client& client, const ExecOptions& options, const std::vector<v1::SliverId>& ids) {
    std::mutex mutex;
    std::vector<int> statuses(ids.size());
    std::vector<std::thread> threads;
    for (size_t i = 0; i < ids.size(); ++i) {
        threads.emplace_back([&, i] {
            statuses[i] = execLabelled(context.io(), client, startOf(options, ids[i], context.command()), mutex);
        });
    }
    for (std::thread& thread : threads) thread.join();
    const auto failed = std::find_if(statuses.begin(), statuses.end(), [](int status) { return status != 0; });
    return failed == statuses.end() ? 0 : *failed;
}

absl::Status checkEnvironment(const std::vector<std::string>& environment) {
    for (const std::string& variable : environment) {
        const size_t equals = variable.find('=');
        if (equals == 0 || equals == std::string::npos) {
            return invalidArgument("--env '" + variable + "' is not valid: use NAME=VALUE");
        }
    }
    return absl::OkStatus();
}

absl::StatusOr<int> exec(Context& context, const ExecOptions& options) {
    HS_ASSIGN_OR_RETURN(const SliverRef ref, parseSliverRef(options.target));
    HS_RETURN_IF_ERROR(checkEnvironment(options.environment));
    HS_ASSIGN_OR_RETURN(Client* const client, context.client());
    HS_ASSIGN_OR_RETURN(const std::vector<v1::SliverId> ids, targetsOf(*client, ref));
    if (ids.size() == 1) return runSession(context, *client, startOf(options, ids.front(), context.command()));
    if (options.interactive || options.terminal) {
        return invalidArgument(std::string(options.terminal ? "-t" : "-i") +
                               " needs a single sliver: use SLICE/INDEX, such as " + nameOf(ids.front()));
    }
    return execInAll(context, *client, options, ids);
}

}  // namespace

void registerExec(CLI::App& app, Context& context) {
    CLI::App* const command =
        app.add_subcommand("exec", "Run a command in a sliver, or in all slivers of a slice at once");
    const auto options = std::make_shared<ExecOptions>();
    command->add_option("SLICE[/INDEX]", options->target, "The slice, or one sliver of it")->required();
    command->add_flag("-t,--tty", options->terminal, "Give the command a terminal");
    command->add_flag("-i", options->interactive, "Insist on input: refuse several slivers");
    command->add_flag("-d,--detach", options->detached, "Start the command and leave it to the sliver, without output");
    command->add_option("-u,--user", options->user, "Run as this user of the sliver's; default: the sliver's own")
        ->type_name("USER[:GROUP]");
    command->add_option("-w,--workdir", options->directory, "Run in this directory; default: /")->type_name("DIR");
    command->add_option("-e,--env", options->environment, "Set a variable; may be repeated")
        ->type_name("NAME=VALUE")
        ->allow_extra_args(false);
    command->footer(
        "With one sliver, input and output pass as they are. With a terminal, control-P control-Q detaches: the\n"
        "command goes on without you. With several slivers there is no input, and each line of output is labelled\n"
        "with its sliver. Every command ends with its sliver at the latest.\n"
        "Exit status: the command's; with several slivers the first, by index, that is not 0.\n\n"
        "Example: slicectl exec web -- uname -r");
    context.setAction(*command, CommandTail::required, [&context, options] { return exec(context, *options); });
}

}  // namespace homeslice::ctl
