// What every command shares: streams, global options, the connection to the controller, and how a command is declared.
//
// A command declares options on its CLI::App and gives an action:
//
//     CLI::App* ls = node->add_subcommand("ls", "List the nodes");
//     context.setAction(*ls, CommandTail::none, [&context]() -> absl::StatusOr<int> { ...; return 0; });
//
// Options are bound to variables that the action captures by std::shared_ptr. The action runs after the whole command
// line has been parsed; it returns the exit status, or an error that becomes one line on stderr and an exit status by
// its code.
#pragma once

#include <absl/status/statusor.h>

#include <CLI/CLI.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ctl/output/io.h"
#include "ctl/output/printer.h"

namespace homeslice::ctl {

class Cancellation;
class Client;
class SignalWatch;

// Whether "-- CMD..." may follow the options.
enum class CommandTail { none, optional, required };

class Context {
public:
    using Action = std::function<absl::StatusOr<int>()>;

    explicit Context(const Io& io);
    ~Context();
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;

    const Io& io() const { return io_; }
    OutputFormat format() const { return format_; }
    // What stands after "--" on the command line, untouched by option parsing.
    const std::vector<std::string>& command() const { return command_; }

    void setAction(CLI::App& app, CommandTail tail, Action action);

    // What SIGINT and SIGTERM turn on, once client() has been called.
    Cancellation& cancellation() { return *cancellation_; }

    // The connection, made at the first call; UNAVAILABLE says in one line that there is no controller. Valid as long
    // as the context. The first call also makes SIGINT and SIGTERM cancel what runs (exit status 130); a command that
    // executes another program instead never gets there.
    absl::StatusOr<Client*> client();

    // What main() does around registering the commands: declare the global options; parse what was given (without the
    // program's name), act, report, and answer the exit status.
    void declareGlobals(CLI::App& app);
    int run(CLI::App& app, const std::vector<std::string>& given);

private:
    struct Chosen {
        CommandTail tail;
        Action action;
    };

    std::string tailUsage(const CLI::App* app) const;
    int act(const CLI::App& app, bool has_tail);
    int reportUsage(const CLI::App& app, const std::string& message);
    int reportError(const absl::Status& status);

    const Io& io_;
    OutputFormat format_ = OutputFormat::table;
    std::string controller_;
    std::string system_;  // name of a context, in the sense of ctl/client/contexts.h
    std::vector<std::string> command_;
    std::map<const CLI::App*, Chosen> actions_;
    std::unique_ptr<Cancellation> cancellation_;
    std::unique_ptr<SignalWatch> signals_;
    std::unique_ptr<Client> client_;
};

}  // namespace homeslice::ctl
