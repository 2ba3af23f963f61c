#include "ctl/commands/context.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/reason.h"
#include "base/status.h"
#include "ctl/client/address.h"
#include "ctl/client/cancellation.h"
#include "ctl/client/client.h"
#include "ctl/client/exit_status.h"
#include "ctl/commands/version.h"

namespace homeslice::ctl {
namespace {

const std::map<std::string, OutputFormat> kFormats{{"table", OutputFormat::table},
                                                   {"wide", OutputFormat::wide},
                                                   {"json", OutputFormat::json},
                                                   {"yaml", OutputFormat::yaml}};

// CLI11's help, with what may follow "--" in the usage line.
class HelpFormatter : public CLI::Formatter {
public:
    explicit HelpFormatter(std::function<std::string(const CLI::App*)> tail) : tail_(std::move(tail)) {
        column_width(kColumnWidth);
    }

    std::string make_usage(const CLI::App* app, std::string name) const override {
        std::string usage = CLI::Formatter::make_usage(app, std::move(name));
        const size_t end = usage.find_last_not_of('\n') + 1;
        return usage.insert(end, tail_(app));
    }

private:
    static constexpr size_t kColumnWidth = 30;
    std::function<std::string(const CLI::App*)> tail_;
};

// The innermost command that was named.
const CLI::App& innermost(const CLI::App& app) {
    const CLI::App* at = &app;
    while (!at->get_subcommands().empty()) at = at->get_subcommands().front();
    return *at;
}

std::string pathOf(const CLI::App& app) {
    return app.get_parent() == nullptr ? app.get_name() : pathOf(*app.get_parent()) + " " + app.get_name();
}

std::string namesOf(const CLI::App& app) {
    std::string names;
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
        names += (names.empty() ? "" : ", ") + command->get_name();
    }
    return names;
}

std::string oneLine(std::string text) {
    std::replace(text.begin(), text.end(), '\n', ' ');
    return text;
}

// CLI11's words, but for a command that is missing or unknown, of which it does not say which there are.
std::string describe(const CLI::App& app, const CLI::ParseError& error) {
    const CLI::App& at = innermost(app);
    const bool wants_command = at.get_require_subcommand_min() > 0 && at.get_subcommands().empty();
    if (!wants_command || error.get_name() != "RequiredError") return oneLine(error.what());
    const std::vector<std::string> unknown = app.remaining(true);
    return (unknown.empty() ? "a command is missing" : "unknown command '" + oneLine(unknown.front()) + "'") +
           "; there are: " + namesOf(at);
}

}  // namespace

Context::Context(const Io& io) : io_(io) {}

Context::~Context() = default;

void Context::setAction(CLI::App& app, CommandTail tail, Action action) {
    actions_[&app] = {.tail = tail, .action = std::move(action)};
}

absl::StatusOr<Client*> Context::client() {
    if (!client_) {
        if (!cancellation_) {
            cancellation_ = std::make_unique<Cancellation>();
            signals_ = std::make_unique<SignalWatch>(*cancellation_);
        }
        HS_ASSIGN_OR_RETURN(const Endpoint endpoint, resolveEndpoint(controller_, system_));
        HS_ASSIGN_OR_RETURN(client_, Client::connect(endpoint, *cancellation_));
    }
    return client_.get();
}

std::string Context::tailUsage(const CLI::App* app) const {
    const auto found = actions_.find(app);
    const CommandTail tail = found == actions_.end() ? CommandTail::none : found->second.tail;
    if (tail == CommandTail::none) return "";
    return tail == CommandTail::optional ? " [-- CMD...]" : " -- CMD...";
}

void Context::declareGlobals(CLI::App& app) {
    app.formatter(std::make_shared<HelpFormatter>([this](const CLI::App* which) { return tailUsage(which); }));
    app.fallthrough();  // inherited: global options may stand behind the command
    app.require_subcommand(1);
    app.set_version_flag("--version", std::string("slicectl ") + kVersion, "Print the version and exit");
    app.add_option_function<std::string>(
           "-o,--output", [this](const std::string& name) { format_ = kFormats.at(name); },
           "Format: table, wide, json or yaml")
        ->type_name("FORMAT")
        ->check([](const std::string& name) {
            return kFormats.contains(name) ? std::string() : "'" + name + "': use table, wide, json or yaml";
        });
    app.add_option("--controller", controller_,
                   "unix:PATH, HOST:PORT or [IPv6]:PORT, several with commas between; default: $HOMESLICE_CONTROLLER, "
                   "else the context's, else the "
                   "lab's or the machine's socket")
        ->type_name("ADDRESS");
    app.add_option("--context", system_, "Which system; default: $HOMESLICE_CONTEXT, else slicectl context use")
        ->type_name("NAME");
}

int Context::run(CLI::App& app, const std::vector<std::string>& given) {
    // What follows "--" is another program's business: CLI11 would take "[a,b]" apart.
    const auto mark = std::find(given.begin(), given.end(), "--");
    const bool has_tail = mark != given.end();
    if (has_tail) command_.assign(std::next(mark), given.end());
    try {
        // CLI::App::parse() wants them from the last to the first.
        app.parse(std::vector<std::string>(std::make_reverse_iterator(mark), given.rend()));
    } catch (const CLI::CallForHelp&) {
        io_.out << app.help() << std::flush;
        return kExitOk;
    } catch (const CLI::CallForVersion& version) {
        io_.out << version.what() << '\n' << std::flush;
        return kExitOk;
    } catch (const CLI::ParseError& error) {
        return reportUsage(app, describe(app, error));
    }
    return act(app, has_tail);
}

int Context::act(const CLI::App& app, bool has_tail) {
    const Chosen& chosen = actions_.at(&innermost(app));
    if (chosen.tail == CommandTail::none && has_tail) return reportUsage(app, "takes no command after --");
    if (chosen.tail == CommandTail::required && command_.empty()) {
        return reportUsage(app, "a command is missing: put it at the end, after --");
    }
    const absl::StatusOr<int> result = chosen.action();
    if (!result.ok()) return reportError(result.status());
    if (!io_.out.flush()) return reportError(dataLoss("standard output could not be written"));
    return *result;
}

int Context::reportUsage(const CLI::App& app, const std::string& message) {
    io_.err << "slicectl: " << message << " (see " << pathOf(innermost(app)) << " --help)\n" << std::flush;
    return kExitError;
}

// With -o json, a program reads this too.
int Context::reportError(const absl::Status& status) {
    if (format_ == OutputFormat::json) {
        const ErrorReason why = reasonOf(status);
        const Value error{{"error",
                           {{"code", absl::StatusCodeToString(status.code())},
                            {"reason", why.word},
                            {"message", oneLine(messageOf(status))},
                            {"metadata", why.facts}}}};
        io_.err << error.dump(-1, ' ', false, Value::error_handler_t::replace) << '\n' << std::flush;
        return exitStatusOf(status);
    }
    io_.err << "slicectl: " << oneLine(messageOf(status)) << '\n' << std::flush;
    return exitStatusOf(status);
}

}  // namespace homeslice::ctl
