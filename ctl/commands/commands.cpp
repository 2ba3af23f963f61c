#include "ctl/commands/commands.h"

namespace homeslice::ctl {

void registerCommands(CLI::App& app, Context& context) {
    registerSlice(app, context);
    registerSliver(app, context);
    registerExec(app, context);
    registerShell(app, context);
    registerLogs(app, context);
    registerImage(app, context);
    registerNode(app, context);
    registerHome(app, context);
    registerUser(app, context);
    registerReservation(app, context);
    registerOperation(app, context);
    registerAudit(app, context);
    registerWatch(app, context);
    registerSystemContext(app, context);
}

}  // namespace homeslice::ctl
