#include "ctl/commands/session.h"

#include <algorithm>
#include <cstdlib>

#include "base/status.h"
#include "ctl/client/exit_status.h"
#include "ctl/client/terminal.h"
#include "ctl/commands/views.h"

namespace homeslice::ctl {
namespace {

constexpr int kNoInput = -1;

void passTerminalType(v1::ExecStart& start) {
    const char* type = std::getenv("TERM");
    const bool given = std::any_of(start.env().begin(), start.env().end(),
                                   [](const std::string& variable) { return variable.starts_with("TERM="); });
    if (type != nullptr && !given) start.add_env(std::string("TERM=") + type);
}

absl::StatusOr<std::optional<int>> run(const Io& io, Client& client, const v1::ExecStart& start,
                                       const RawTerminal* terminal) {
    const Client::ExecInput input{.fd = start.detached() ? kNoInput : io.in_fd, .terminal = terminal};
    return client.exec(
        start, input, [&io](const std::string& data) { io.out << data << std::flush; },
        [&io](const std::string& data) { io.err << data << std::flush; });
}

absl::StatusOr<std::optional<int>> runOnTerminal(const Io& io, Client& client, v1::ExecStart& start) {
    passTerminalType(start);
    std::unique_ptr<RawTerminal> terminal;
    if (io.in_is_terminal && !start.detached()) {
        HS_ASSIGN_OR_RETURN(terminal, RawTerminal::take(io.in_fd));
    }
    const TerminalSize size = terminal ? terminal->size() : TerminalSize{};
    start.mutable_size()->set_columns(size.columns);
    start.mutable_size()->set_rows(size.rows);
    return run(io, client, start, terminal.get());
}

}  // namespace

absl::StatusOr<int> runSession(Context& context, Client& client, v1::ExecStart start) {
    const Io& io = context.io();
    HS_ASSIGN_OR_RETURN(const std::optional<int> exit_status,
                        start.tty() ? runOnTerminal(io, client, start) : run(io, client, start, nullptr));
    if (exit_status) return *exit_status;
    io.err << "\nslicectl: detached from " << nameOf(start.sliver()) << "; the command goes on there\n" << std::flush;
    return kExitOk;
}

}  // namespace homeslice::ctl
