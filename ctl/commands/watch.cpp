#include "ctl/commands/watch.h"

#include <memory>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/names.h"
#include "base/status.h"
#include "ctl/client/client.h"
#include "ctl/commands/commands.h"
#include "ctl/commands/views.h"
#include "ctl/commands/watched_things.h"

namespace homeslice::ctl {
namespace {

struct WatchOptions {
    std::string slice;
    uint64_t since = 0;
};

const std::vector<Column>& columnsOf(v1::WatchKind kind) {
    switch (kind) {
        case v1::WATCH_KIND_NODE:
            return nodeColumns();
        case v1::WATCH_KIND_SLIVER:
            return sliverColumns();
        default:
            return sliceColumns();
    }
}

bool isTable(const Context& context) {
    return context.format() == OutputFormat::table || context.format() == OutputFormat::wide;
}

std::string text(const Value& object, const char* field) { return showPlain(object.value(field, Value())); }

// What a person wants to know of it at a glance.
std::string glance(const Value& line) {
    const Value& object = line.at("object");
    const Value& kind = line.at("kind");
    if (line.at("change") == "gone") return "gone";
    if (line.at("change") == "lease-ends") return "its lease ends at " + text(object, "lease_end");
    if (kind == "node") return object.at("ready") == true ? "ready" : "not ready: " + text(object, "reason");
    if (kind == "slice") {
        return text(object, "state") + ", " + text(object, "slivers_running") + " of " + text(object, "slivers") +
               " slivers run";
    }
    if (kind == "operation") {
        return text(object, "kind") + " " + text(object, "subject") + ": " + text(object, "state");
    }
    const std::string reason = text(object, "reason");
    return text(object, "state") + " on node " + text(object, "node") + (reason == "-" ? "" : ": " + reason);
}

void printLine(Context& context, const Value& line) {
    const Io& io = context.io();
    if (context.format() == OutputFormat::json) {
        io.out << line.dump(-1, ' ', false, Value::error_handler_t::replace) << '\n' << std::flush;
    } else if (context.format() == OutputFormat::yaml) {
        io.out << "---\n";
        printTree(io, OutputFormat::yaml, line);
    } else {
        io.out << printable(formatUtc(Utc::now()) + " " + text(line, "kind") + " " + text(line, "name") + ": " +
                            glance(line))
               << '\n'
               << std::flush;
    }
}

// The picture as a table, then rows below it.
class WatchedTable {
public:
    WatchedTable(Context& context, v1::WatchKind kind)
        : io_(context.io()), list_(io_, context.format(), columnsOf(kind)) {}

    void take(const v1::WatchResponse& response, const std::vector<Value>& lines) {
        for (const Value& line : lines) takeLine(line);
        if (begun_ || !response.whole()) return;
        begun_ = true;
        list_.begin(first_);
        first_.clear();
    }

private:
    void takeLine(const Value& line) {
        if (line.at("change") == "lease-ends") {
            io_.err << printable("slicectl: slice " + text(line, "name") + ": " + glance(line)) << '\n' << std::flush;
        } else if (!begun_) {
            first_.push_back(line.at("object"));
        } else if (line.at("change") == "gone") {
            list_.addGone(text(line, "name"));
        } else {
            list_.add(line.at("object"));
        }
    }

    const Io& io_;
    LiveList list_;
    Value first_ = Value::array();
    bool begun_ = false;
};

// To be interrupted is how a watch ends.
absl::StatusOr<int> ended(const absl::Status& status) {
    if (absl::IsCancelled(status)) return 0;
    return status;
}

absl::StatusOr<int> watch(Context& context, const WatchOptions& options) {
    if (!options.slice.empty()) HS_RETURN_IF_ERROR(checkName("slice name", options.slice));
    HS_ASSIGN_OR_RETURN(Client* const client, context.client());
    v1::WatchRequest request;
    request.set_slice(options.slice);
    request.set_revision(options.since);
    WatchedThings things;
    return ended(client->watch(request, [&](const v1::WatchResponse& response, bool anew) {
        for (const Value& line : things.take(response, anew)) printLine(context, line);
    }));
}

}  // namespace

absl::StatusOr<int> watchList(Context& context, v1::WatchKind kind, const std::string& slice) {
    HS_ASSIGN_OR_RETURN(Client* const client, context.client());
    v1::WatchRequest request;
    request.add_kinds(kind);
    request.set_slice(slice);
    WatchedThings things;
    WatchedTable table(context, kind);
    return ended(client->watch(request, [&](const v1::WatchResponse& response, bool anew) {
        const std::vector<Value> lines = things.take(response, anew);
        if (isTable(context)) return table.take(response, lines);
        for (const Value& line : lines) printLine(context, line);
    }));
}

void registerWatch(CLI::App& app, Context& context) {
    CLI::App* const command = app.add_subcommand("watch", "Print a line for each thing, then for each change");
    const auto options = std::make_shared<WatchOptions>();
    command->add_option("SLICE", options->slice, "Only it, its slivers and its operations");
    command->add_option("--since", options->since, "Only what has changed since this revision, as -o json shows it")
        ->type_name("REVISION");
    command->footer(
        "Nodes, slices, slivers and operations, and leases that are about to end. Goes on over restarts of the "
        "controller.\n\n"
        "Example: slicectl watch web\n"
        "         slicectl watch -o json | jq 'select(.kind == \"node\")'");
    context.setAction(*command, CommandTail::none, [&context, options] { return watch(context, *options); });
}

}  // namespace homeslice::ctl
