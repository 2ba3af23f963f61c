#include <memory>
#include <mutex>

#include "base/status.h"
#include "ctl/client/client.h"
#include "ctl/client/exit_status.h"
#include "ctl/commands/commands.h"
#include "ctl/commands/cri_log.h"
#include "ctl/commands/label_writer.h"
#include "ctl/commands/parse.h"
#include "ctl/commands/targets.h"
#include "ctl/commands/views.h"

namespace homeslice::ctl {
namespace {

absl::Status printLog(Context& context, Client& client, const v1::SliverId& id, bool labelled, bool timestamps) {
    std::mutex mutex;
    LabelWriter out(context.io().out, mutex, labelled ? nameOf(id) : "");
    CriLogReader reader(timestamps, [&](const std::string& text) { out.write(text); });
    const absl::Status status = client.logs(id, [&](const std::string& data) { reader.feed(data); });
    reader.finish();
    return status;
}

// One sliver after the other; one whose log cannot be had does not hide those of the rest.
absl::StatusOr<int> logs(Context& context, const std::string& target, bool timestamps) {
    HS_ASSIGN_OR_RETURN(const SliverRef ref, parseSliverRef(target));
    HS_ASSIGN_OR_RETURN(Client* const client, context.client());
    HS_ASSIGN_OR_RETURN(const std::vector<v1::SliverId> ids, targetsOf(*client, ref));
    if (ids.size() == 1) {
        HS_RETURN_IF_ERROR(printLog(context, *client, ids.front(), false, timestamps));
        return kExitOk;
    }
    int exit_status = kExitOk;
    for (const v1::SliverId& id : ids) {
        const absl::Status status = printLog(context, *client, id, true, timestamps);
        if (status.ok()) continue;
        context.io().err << "slicectl: " << nameOf(id) << ": " << messageOf(status) << '\n' << std::flush;
        if (exit_status == kExitOk) exit_status = exitStatusOf(status);
    }
    return exit_status;
}

}  // namespace

void registerLogs(CLI::App& app, Context& context) {
    CLI::App* const command =
        app.add_subcommand("logs", "Print what the slivers' own commands wrote, stdout and stderr, oldest first");
    const auto target = std::make_shared<std::string>();
    const auto timestamps = std::make_shared<bool>(false);
    command->add_option("SLICE[/INDEX]", *target, "The slice, or one sliver of it")->required();
    command->add_flag("--timestamps", *timestamps, "Put the time in front of each line");
    command->footer("Example: slicectl logs web/2 --timestamps");
    context.setAction(*command, CommandTail::none,
                      [&context, target, timestamps] { return logs(context, *target, *timestamps); });
}

}  // namespace homeslice::ctl
