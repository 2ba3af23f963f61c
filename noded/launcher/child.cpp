#include "noded/launcher/child.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cinttypes>
#include <cstring>

#include "noded/init/assignment.h"
#include "noded/init/protocol.h"
#include "noded/launcher/steps.h"

namespace homeslice::launcher {
namespace {

constexpr int kInitProgramFd = init::kLogDirectoryFd + 1;
constexpr int kFirstSpareFd = 16;

// Puts the descriptors where sliver-init expects them; stdin and the like are /dev/null inside, so that no file of the
// host's stays open in the sliver. Everything else goes.
void arrangeDescriptors(Setup& setup, Plan& plan) {
    const int wanted[] = {setup.socket(), plan.control_socket.get(), plan.log_directory.get(), plan.init_program.get()};
    const int places[] = {init::kSetupFd, init::kControlFd, init::kLogDirectoryFd, kInitProgramFd};
    int spare[4];
    for (size_t i = 0; i < 4; ++i) {
        spare[i] = ::fcntl(wanted[i], F_DUPFD_CLOEXEC, kFirstSpareFd);
        setup.require(spare[i] >= 0, "arrange descriptors");
    }
    const int null_fd = ::open("/dev/null", O_RDWR);
    setup.require(null_fd >= 0, "open", "/dev/null");
    for (int standard = 0; standard < 3; ++standard) {
        setup.require(::dup2(null_fd, standard) >= 0, "arrange descriptors");
    }
    // Now that they are copied, the originals' numbers mean nothing any more.
    for (UniqueFd* fd : {&plan.root_mount, &plan.control_socket, &plan.log_directory, &plan.init_program})
        fd->release();
    setup.renumber(spare[0]);
    for (size_t i = 0; i < 4; ++i) setup.require(::dup2(spare[i], places[i]) >= 0, "arrange descriptors");
    setup.renumber(init::kSetupFd);
    setup.require(::fcntl(kInitProgramFd, F_SETFD, FD_CLOEXEC) == 0, "arrange descriptors");
    setup.require(::close_range(kInitProgramFd + 1, ~0U, 0) == 0, "close_range");
}

// init/protocol.h tells the order.
[[noreturn]] void executeInit(const Setup& setup, const Plan& plan) {
    char uid[16];
    char gid[16];
    char log_bytes[24];
    char log_files[16];
    ::snprintf(uid, sizeof(uid), "%u", plan.uid);
    ::snprintf(gid, sizeof(gid), "%u", plan.gid);
    ::snprintf(log_bytes, sizeof(log_bytes), "%" PRIu64, plan.log_bytes);
    ::snprintf(log_files, sizeof(log_files), "%u", plan.log_files);
    char name[] = "sliver-init";
    char* const head[] = {name, uid, gid, plan.user, plan.working_directory, log_bytes, log_files};
    constexpr size_t kHeadCount = sizeof(head) / sizeof(head[0]);
    size_t count = 0;
    while (plan.arguments[count] != nullptr) ++count;
    auto* argv = static_cast<char**>(::calloc(kHeadCount + count + 1, sizeof(char*)));
    setup.require(argv != nullptr, "execveat", "memory");
    std::memcpy(argv, head, sizeof(head));
    std::memcpy(argv + kHeadCount, plan.arguments, count * sizeof(char*));
    ::execveat(kInitProgramFd, "", argv, plan.environment, AT_EMPTY_PATH);
    setup.fail("execveat", name);
}

[[noreturn]] void executeParkedInit(const Setup& setup) {
    char name[] = "sliver-init";
    char parked[] = "parked";
    static_assert(sizeof(parked) == sizeof(init::kParked));
    char* const argv[] = {name, parked, nullptr};
    char* const environment[] = {nullptr};
    ::execveat(kInitProgramFd, "", argv, environment, AT_EMPTY_PATH);
    setup.fail("execveat", name);
}

}  // namespace

// The order matters: what needs the host's files comes before the change of root, what needs privileges before they go,
// and the filter last, so that it need not allow the steps before.
void runChild(UniqueFd socket) {
    Setup setup(std::move(socket));
    closeInherited(setup);
    resetSignals(setup);
    Plan plan = receivePlan(setup);

    leaveSession(setup);
    becomeRootInside(setup);
    enterCgroupNamespace(setup);
    setHostname(setup, plan.hostname);
    bringUpLoopback(setup);

    stopPropagation(setup);
    attachRoot(setup, plan.root_mount.get());
    mountProc(setup, plan.root_mount.get());
    mountSys(setup, plan.root_mount.get());
    mountDev(setup, plan.root_mount.get());
    changeRoot(setup, plan.root_mount.get());
    mountVolumes(setup, plan.volume_targets, plan.volumes);
    maskPaths(setup, plan.masked_paths);
    protectPaths(setup, plan.read_only_paths);

    arrangeDescriptors(setup, plan);
    dropCapabilities(setup, plan.kept_capabilities);
    forbidNewPrivileges(setup);
    loadSeccomp(setup, plan.seccomp_program, plan.seccomp_size);
    if (plan.parked) executeParkedInit(setup);
    executeInit(setup, plan);
}

}  // namespace homeslice::launcher
