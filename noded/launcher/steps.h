// The steps of child.cpp's recipe. Each ends the process with a report (init/setup_report.h) when it fails.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/unique_fd.h"
#include "noded/launcher/protocol.h"

namespace homeslice::launcher {

// Where failures are told.
class Setup {
public:
    explicit Setup(UniqueFd socket) : socket_(std::move(socket)) {}
    int socket() const { return socket_.get(); }
    // The socket is at `fd` now; its old number belongs to nobody.
    void renumber(int fd) {
        socket_.release();
        socket_.reset(fd);
    }

    // Ends the process unless `done`; the reason is errno.
    void require(bool done, const char* step, const char* subject = "") const {
        if (!done) fail(step, subject);
    }
    [[noreturn]] void fail(const char* step, const char* subject) const;

private:
    UniqueFd socket_;
};

// The plan as received. The strings live in a buffer that is never freed: exec ends it.
struct Plan {
    uint64_t kept_capabilities = 0;
    void* seccomp_program = nullptr;
    size_t seccomp_size = 0;
    char* hostname = nullptr;
    char** masked_paths = nullptr;  // the lists end with nullptr
    char** read_only_paths = nullptr;
    char** volume_targets = nullptr;  // volumes' mounts beside them
    UniqueFd volumes[kMaxPlanVolumes];
    UniqueFd root_mount;
    UniqueFd control_socket;
    UniqueFd log_directory;
    UniqueFd init_program;
};

// plan.cpp. The end of the connection ends the process without a word.
Plan receivePlan(const Setup& setup);

// identity.cpp: who the process is
void closeInherited(const Setup& setup);
void resetSignals(const Setup& setup);
void leaveSession(const Setup& setup);
void becomeRootInside(const Setup& setup);
void enterCgroupNamespace(const Setup& setup);
void dropCapabilities(const Setup& setup, uint64_t kept);
void forbidNewPrivileges(const Setup& setup);
void loadSeccomp(const Setup& setup, const void* program, size_t size);

// network.cpp
void bringUpLoopback(const Setup& setup);
void setHostname(const Setup& setup, const char* hostname);

// filesystem.cpp: what it sees
void stopPropagation(const Setup& setup);
void attachRoot(const Setup& setup, int root);
void mountProc(const Setup& setup, int root);
void mountSys(const Setup& setup, int root);
void mountDev(const Setup& setup, int root);
void changeRoot(const Setup& setup, int root);
void mountVolumes(const Setup& setup, char** targets, UniqueFd* mounts);
void maskPaths(const Setup& setup, char** paths);
void protectPaths(const Setup& setup, char** paths);

}  // namespace homeslice::launcher
