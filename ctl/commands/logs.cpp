#include <memory>
#include <mutex>
#include <thread>

#include "base/clock.h"
#include "base/status.h"
#include "ctl/client/client.h"
#include "ctl/client/exit_status.h"
#include "ctl/commands/commands.h"
#include "ctl/commands/cri_log.h"
#include "ctl/commands/label_writer.h"
#include "ctl/commands/parse.h"
#include "ctl/commands/parse_time.h"
#include "ctl/commands/targets.h"
#include "ctl/commands/views.h"

namespace homeslice::ctl {
namespace {

constexpr uint32_t kMostLines = 1'000'000'000;

struct LogsOptions {
    std::string target;
    bool timestamps = false;
    bool follow = false;
    std::string since;
    std::string tail;
};

// The request without its sliver.
absl::StatusOr<v1::LogsRequest> requestOf(const LogsOptions& options) {
    v1::LogsRequest request;
    request.set_follow(options.follow);
    if (!options.since.empty()) {
        HS_ASSIGN_OR_RETURN(const Utc::time_point since, parseTime("--since", options.since, Utc::now()));
        request.set_since_us(toUnixMicros(since));
    }
    if (!options.tail.empty()) {
        HS_ASSIGN_OR_RETURN(const uint32_t tail, parseCount("--tail", options.tail, kMostLines));
        request.set_tail(tail);
    }
    return request;
}

// Prints what one or several logs say, each line whole.
class LogPrinter {
public:
    LogPrinter(const Io& io, Client& client, const LogsOptions& options, v1::LogsRequest request)
        : io_(io), client_(client), timestamps_(options.timestamps), request_(std::move(request)) {}

    absl::Status print(const v1::SliverId& id, const std::string& label) {
        v1::LogsRequest request = request_;
        *request.mutable_sliver() = id;
        LabelWriter out(io_.out, mutex_, label);
        CriLogReader reader(timestamps_, [&](const std::string& text) { out.write(text); });
        absl::Status status = client_.logs(
            request, [&](const std::string& data) { reader.feed(data); }, [&] { return reader.reconnect(); });
        reader.finish();
        return status;
    }

    // One whose log cannot be had does not hide those of the rest: it is a line on stderr. The exit status.
    int printLabelled(const v1::SliverId& id) {
        const absl::Status status = print(id, nameOf(id));
        if (status.ok()) return kExitOk;
        if (absl::IsCancelled(status)) return kExitInterrupted;
        LabelWriter(io_.err, mutex_, "").write("slicectl: " + nameOf(id) + ": " + messageOf(status) + "\n");
        return exitStatusOf(status);
    }

private:
    const Io& io_;
    Client& client_;
    const bool timestamps_;
    const v1::LogsRequest request_;
    std::mutex mutex_;
};

// One sliver after the other, or all at once when there is no end to wait for. The first status, by index, that is not
// 0.
int printAll(LogPrinter& printer, const std::vector<v1::SliverId>& ids, bool at_once) {
    std::vector<int> statuses(ids.size());
    std::vector<std::thread> threads;
    for (size_t i = 0; i < ids.size(); ++i) {
        const auto print = [&printer, &ids, &statuses, i] { statuses[i] = printer.printLabelled(ids[i]); };
        if (at_once) {
            threads.emplace_back(print);
        } else {
            print();
        }
    }
    for (std::thread& thread : threads) thread.join();
    for (const int status : statuses) {
        if (status != kExitOk) return status;
    }
    return kExitOk;
}

absl::StatusOr<int> logs(Context& context, const LogsOptions& options) {
    HS_ASSIGN_OR_RETURN(const SliverRef ref, parseSliverRef(options.target));
    HS_ASSIGN_OR_RETURN(v1::LogsRequest request, requestOf(options));
    HS_ASSIGN_OR_RETURN(Client* const client, context.client());
    HS_ASSIGN_OR_RETURN(const std::vector<v1::SliverId> ids, targetsOf(*client, ref));
    LogPrinter printer(context.io(), *client, options, std::move(request));
    if (ids.size() > 1) return printAll(printer, ids, options.follow);
    HS_RETURN_IF_ERROR(printer.print(ids.front(), ""));
    return kExitOk;
}

}  // namespace

void registerLogs(CLI::App& app, Context& context) {
    CLI::App* const command =
        app.add_subcommand("logs", "Print what the slivers' own commands wrote, stdout and stderr, oldest first");
    const auto options = std::make_shared<LogsOptions>();
    command->add_option("SLICE[/INDEX]", options->target, "The slice, or one sliver of it")->required();
    command->add_flag(
        "-f,--follow", options->follow,
        "Go on with what is added, until the sliver is removed; also over restarts of its node and the controller");
    command->add_option("--since", options->since, "Only lines from this time on, or of the last so long, such as 10m")
        ->type_name("TIME");
    command->add_option("--tail", options->tail, "Only so many lines from the end, of each sliver")->type_name("N");
    command->add_flag("--timestamps", options->timestamps, "Put the time in front of each line");
    command->footer("Example: slicectl logs web -f --since 10m");
    context.setAction(*command, CommandTail::none, [&context, options] { return logs(context, *options); });
}

}  // namespace homeslice::ctl
