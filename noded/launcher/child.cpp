#include "noded/launcher/child.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

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

// Without a command: that it gets when all that is made around it meanwhile is there.
[[noreturn]] void executeInit(const Setup& setup) {
    char name[] = "sliver-init";
    char* const argv[] = {name, nullptr};
    char* const environment[] = {nullptr};
    ::execveat(kInitProgramFd, "", argv, environment, AT_EMPTY_PATH);
    setup.fail("execveat", name);
}

}  // namespace

// The order matters: what needs neither the plan nor the id maps is done before they come, above all the loopback,
// which takes a lock of the kernel's that noded has while it makes the sliver's link; what needs the host's files comes
// before the change of root, what needs privileges before they go, and the filter last, so that it need not allow the
// steps before.
void runChild(UniqueFd socket) {
    Setup setup(std::move(socket));
    closeInherited(setup);
    resetSignals(setup);
    leaveSession(setup);
    enterCgroupNamespace(setup);
    bringUpLoopback(setup);
    stopPropagation(setup);

    Plan plan = receivePlan(setup);
    becomeRootInside(setup);
    setHostname(setup, plan.hostname);
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
    executeInit(setup);
}

}  // namespace homeslice::launcher
