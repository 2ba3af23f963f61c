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
#include "ctl/commands/targets.h"
#include "ctl/commands/views.h"

namespace homeslice::ctl {
namespace {

constexpr int kNoInput = -1;

v1::ExecStart startOf(const v1::SliverId& id, const std::vector<std::string>& argv) {
    v1::ExecStart start;
    *start.mutable_sliver() = id;
    start.mutable_argv()->Add(argv.begin(), argv.end());
    return start;
}

// Input and output pass as they are, so that `exec web/1 -- cat file > copy` is exact.
absl::StatusOr<int> execInOne(Context& context, Client& client, const v1::SliverId& id, bool interactive) {
    const Io& io = context.io();
    const int input = interactive || !io.in_is_terminal ? io.in_fd : kNoInput;
    return client.exec(
        startOf(id, context.command()), input, [&](const std::string& data) { io.out << data << std::flush; },
        [&](const std::string& data) { io.err << data << std::flush; });
}

// One of several: lines get the sliver's name. A call that fails is a line on stderr too.
int execLabelled(Context& context, Client& client, const v1::SliverId& id, std::mutex& mutex) {
    const std::string label = nameOf(id);
    absl::StatusOr<int> result;
    {
        LabelWriter out(context.io().out, mutex, label);
        LabelWriter err(context.io().err, mutex, label);
        result = client.exec(
            startOf(id, context.command()), kNoInput, [&](const std::string& data) { out.write(data); },
            [&](const std::string& data) { err.write(data); });
    }
    if (result.ok()) return *result;
    LabelWriter(context.io().err, mutex, "").write("slicectl: " + label + ": " + messageOf(result.status()) + "\n");
    return exitStatusOf(result.status());
}

int execInAll(Context& context, Client& client, const std::vector<v1::SliverId>& ids) {
    std::mutex mutex;
    std::vector<int> statuses(ids.size());
    std::vector<std::thread> threads;
    for (size_t i = 0; i < ids.size(); ++i) {
        threads.emplace_back([&, i] { statuses[i] = execLabelled(context, client, ids[i], mutex); });
    }
    for (std::thread& thread : threads) thread.join();
    const auto failed = std::find_if(statuses.begin(), statuses.end(), [](int status) { return status != 0; });
    return failed == statuses.end() ? 0 : *failed;
}

absl::StatusOr<int> exec(Context& context, const std::string& target, bool interactive) {
    HS_ASSIGN_OR_RETURN(const SliverRef ref, parseSliverRef(target));
    HS_ASSIGN_OR_RETURN(Client* const client, context.client());
    HS_ASSIGN_OR_RETURN(const std::vector<v1::SliverId> ids, targetsOf(*client, ref));
    if (ids.size() == 1) return execInOne(context, *client, ids.front(), interactive);
    if (interactive)
        return invalidArgument("-i needs a single sliver: use SLICE/INDEX, such as " + nameOf(ids.front()));
    return execInAll(context, *client, ids);
}

}  // namespace

void registerExec(CLI::App& app, Context& context) {
    CLI::App* const command =
        app.add_subcommand("exec", "Run a command in a sliver, or in all slivers of a slice at once");
    const auto target = std::make_shared<std::string>();
    const auto interactive = std::make_shared<bool>(false);
    command->add_option("SLICE[/INDEX]", *target, "The slice, or one sliver of it")->required();
    command->add_flag("-i", *interactive, "Pass input on even if it is a terminal");
    command->footer(
        "With one sliver, output passes as it is, and so does input unless it is a terminal (then with -i).\n"
        "With several there is no input, and each line of output is labelled with its sliver.\n"
        "Exit status: the command's; with several slivers the first, by index, that is not 0.\n\n"
        "Example: slicectl exec web -- uname -r");
    context.setAction(*command, CommandTail::required,
                      [&context, target, interactive] { return exec(context, *target, *interactive); });
}

}  // namespace homeslice::ctl
