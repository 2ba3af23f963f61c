#include "base/status.h"
#include "base/ipv4.h"
#include "ctl/lab/actions.h"
#include "ctl/lab/processes.h"

namespace homeslice::ctl::lab {
namespace {

const std::vector<Column>& programColumns() {
    static const std::vector<Column> kColumns{{.header = "name", .field = "name"},
                                              {.header = "address", .field = "address"},
                                              {.header = "netns", .field = "netns", .wide_only = true},
                                              {.header = "pid", .field = "pid"},
                                              {.header = "alive", .field = "alive"},
                                              {.header = "log", .field = "log"}};
    return kColumns;
}

Value programValue(const Plan& plan, const Program& program, const LabState& state) {
    const std::optional<ProcessId> process = state.processOf(program.name);
    const Host& host = plan.host(program.host);
    Value value{{"name", program.name}, {"address", addressText(host.address)},  {"netns", host.netns()},
                {"pid", nullptr},       {"alive", process && isAlive(*process)}, {"log", program.log()}};
    if (process) value["pid"] = process->pid;
    return value;
}

}  // namespace

absl::StatusOr<int> status(Context& context) {
    HS_ASSIGN_OR_RETURN(const LabState state, requireLab());
    HS_ASSIGN_OR_RETURN(const Plan plan, planOf(state));
    Value programs = Value::array();
    for (const Program& program : plan.programs) programs.push_back(programValue(plan, program, state));
    const OutputFormat format = context.format();
    if (format == OutputFormat::table || format == OutputFormat::wide) {
        printList(context.io(), format, programColumns(), programs);
        return 0;
    }
    printTree(context.io(), format,
              Value{{"phase", toString(state.phase)},
                    {"nodes", state.nodes},
                    {"home_prefix", state.home_prefix},
                    {"controller", controllerAddress()},
                    {"client", addressText(plan.host(kClient).address)},
                    {"programs", std::move(programs)}});
    return 0;
}

}  // namespace homeslice::ctl::lab
