// The one message on the setup socket from a sliver that starts: Ready from sliver-init, or the step that failed and
// why, from whatever the process was at that time. End of file without it means that the process died.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

namespace homeslice::init {

struct SetupReport {
    enum Kind : uint32_t { ready = 1, failed = 2 };

    uint32_t kind = failed;
    int32_t error = 0;       // errno
    char step[40] = {};      // "mount proc"
    char subject[208] = {};  // what it was about: a path, a name; may be cut
};
static_assert(sizeof(SetupReport) == 256);
static_assert(std::is_trivially_copyable_v<SetupReport>);

inline SetupReport readyReport() {
    SetupReport report;
    report.kind = SetupReport::ready;
    return report;
}

inline SetupReport failureReport(int error, const char* step, const char* subject) {
    SetupReport report;
    report.error = error;
    std::strncpy(report.step, step, sizeof(report.step) - 1);
    std::strncpy(report.subject, subject, sizeof(report.subject) - 1);
    return report;
}

}  // namespace homeslice::init
