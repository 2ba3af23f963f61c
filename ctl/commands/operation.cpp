#include "ctl/commands/operation.h"

#include <fmt/format.h>

#include "base/status.h"
#include "ctl/client/client.h"
#include "ctl/client/exit_status.h"
#include "ctl/commands/parse.h"
#include "ctl/commands/views.h"
#include "ctl/output/progress.h"
#include "ctl/output/table.h"
#include "ctl/output/units.h"

namespace homeslice::ctl {
namespace {

int exitStatusOf(const v1::Operation& operation) {
    if (operation.state() == v1::OPERATION_STATE_DONE) return kExitOk;
    return operation.state() == v1::OPERATION_STATE_PARTIAL ? kExitPartial : kExitError;
}

void listFailures(const Io& io, const v1::Operation& operation) {
    for (const v1::OperationFailure& failure : operation.failures()) {
        const bool about_sliver = !failure.sliver().slice().empty();
        const std::string where = failure.node().empty() ? "" : " on " + failure.node();
        const std::string what = about_sliver ? nameOf(failure.sliver()) + where : failure.node();
        io.err << "slicectl: " << printable(what + ": " + failure.reason()) << '\n';
    }
    io.err << std::flush;
}

std::string failureText(const v1::Operation& operation) {
    if (operation.state() == v1::OPERATION_STATE_CANCELLED) return operation.step();
    const std::string state = operation.state() == v1::OPERATION_STATE_PARTIAL ? "partly failed" : "failed";
    return fmt::format("{} after {}: {} of {} done", state, elapsedText(operation), operation.done(),
                       operation.total());
}

// Why the wait ended early, and that the work does not.
absl::Status explain(const absl::Status& status, const WaitOptions& options, const OperationStory& story) {
    const std::string goes_on = "; it goes on, see: " + story.look;
    if (status.code() == absl::StatusCode::kDeadlineExceeded) {
        return deadlineExceeded(story.label + ": not done after " + options.timeout + goes_on);
    }
    if (status.code() == absl::StatusCode::kCancelled) return cancelled(story.label + ": interrupted" + goes_on);
    return withContext(status, story.label);
}

}  // namespace

void addWaitOptions(CLI::App& app, WaitOptions& options) {
    app.add_flag("--no-wait", options.no_wait, "Return as soon as the controller has accepted the request");
    app.add_option("--timeout", options.timeout, "How long to wait, such as 90s or 5m (the default)")
        ->type_name("DURATION");
}

absl::Status printEnded(Context& context, const v1::Operation& ended) {
    const bool tree = context.format() == OutputFormat::json || context.format() == OutputFormat::yaml;
    if (tree) printTree(context.io(), context.format(), operationValue(ended));
    return absl::OkStatus();
}

std::string sliversText(uint32_t count) { return fmt::format("{} sliver{}", count, count == 1 ? "" : "s"); }

std::string elapsedText(const v1::Operation& operation) {
    return humanElapsed(std::chrono::milliseconds((operation.ended_us() - operation.started_us()) / 1000));
}

absl::StatusOr<int> runOperation(Context& context, const WaitOptions& options, const OperationStory& story) {
    HS_ASSIGN_OR_RETURN(const std::chrono::seconds timeout, parseDuration("--timeout", options.timeout));
    HS_ASSIGN_OR_RETURN(Client* const client, context.client());
    HS_ASSIGN_OR_RETURN(const v1::Operation started, story.start(*client));
    if (options.no_wait) {
        printObject(context.io(), context.format(), operationColumns(), operationValue(started));
        return kExitOk;
    }
    Progress progress(context.io(), story.label);
    const auto ended = client->watchOperation(
        started.id(), timeout, [&](const v1::Operation& now) { progress.update(now.done(), now.total(), now.step()); });
    if (!ended.ok()) return explain(ended.status(), options, story);
    const bool fine = ended->state() == v1::OPERATION_STATE_DONE;
    progress.finish(fine ? story.outcome(*ended) : failureText(*ended));
    listFailures(context.io(), *ended);
    const bool leaves_something = fine || ended->state() == v1::OPERATION_STATE_PARTIAL;
    if (leaves_something) HS_RETURN_IF_ERROR(story.print(*client, *ended));
    return exitStatusOf(*ended);
}

}  // namespace homeslice::ctl
