// slicectl: what administrators and users do with Homeslice. Wiring only.
#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include "ctl/client/exit_status.h"
#include "ctl/commands/commands.h"
#include "ctl/commands/context.h"
#include "ctl/lab/commands.h"
#include "ctl/output/io.h"

int main(int argc, char** argv) {
    using namespace homeslice::ctl;
    try {
        const Io io = standardIo();
        Context context(io);
        CLI::App app("Homeslice: isolated slices over many machines, with home addresses that never change",
                     "slicectl");
        context.declareGlobals(app);
        registerLab(app, context);
        registerCommands(app, context);
        return context.run(app, std::vector<std::string>(argv + 1, argv + argc));
    } catch (const std::exception& error) {
        std::cerr << "slicectl: " << error.what() << '\n';
        return kExitError;
    }
}
