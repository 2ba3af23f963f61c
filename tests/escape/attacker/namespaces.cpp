// Ways to more privileges by new or other namespaces, and to other files by mounts.
#include <fcntl.h>
#include <linux/nsfs.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "attempt.h"

namespace homeslice::attacker {
namespace {

int unshareFlags(int flags) { return answer(::unshare(flags)); }

int cloneUser(const Arguments&) {
    const long pid = ::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, nullptr, nullptr, nullptr, nullptr);
    if (pid == 0) ::_exit(0);
    return pid < 0 ? errno : exitStatusOf(static_cast<int>(pid));
}

int clone3User(const Arguments&) {
    clone_args arguments{};
    arguments.flags = CLONE_NEWUSER;
    arguments.exit_signal = SIGCHLD;
    const long pid = ::syscall(SYS_clone3, &arguments, sizeof arguments);
    if (pid == 0) ::_exit(0);
    return pid < 0 ? errno : exitStatusOf(static_cast<int>(pid));
}

// setns NAMESPACE-FILE
int enterNamespace(const Arguments& arguments) {
    const int fd = ::open(arguments.at(0).c_str(), O_RDONLY);
    return fd < 0 ? errno : answer(::setns(fd, 0));
}

// Who may ask for the namespace above a namespace gets a descriptor of it.
int askParentNamespace(const Arguments&) {
    const int fd = ::open("/proc/self/ns/user", O_RDONLY);
    return fd < 0 ? errno : answer(::ioctl(fd, NS_GET_PARENT));
}

int mapIds(const Arguments&) {
    const int fd = ::open("/proc/self/uid_map", O_WRONLY);
    return fd < 0 ? errno : answer(::write(fd, "0 0 1\n", 6));
}

int mountTmpfs(const Arguments&) { return answer(::mount("none", "/tmp", "tmpfs", 0, nullptr)); }
int mountBind(const Arguments&) { return answer(::mount("/etc", "/tmp", nullptr, MS_BIND, nullptr)); }
int mountProc(const Arguments&) { return answer(::mount("none", "/tmp", "proc", 0, nullptr)); }
// mount_writable PATH
int mountWritable(const Arguments& arguments) {
    return answer(::mount(nullptr, arguments.at(0).c_str(), nullptr, MS_REMOUNT | MS_BIND, nullptr));
}
// unmount PATH
int unmount(const Arguments& arguments) { return answer(::umount2(arguments.at(0).c_str(), MNT_DETACH)); }

int mountDevice(const Arguments&) {
    constexpr const char* kNode = "/tmp/hst-device";
    ::unlink(kNode);
    if (::mknod(kNode, S_IFBLK | 0600, makedev(7, 0)) < 0) return errno;
    const int result = answer(::mount(kNode, "/tmp", "ext4", MS_RDONLY, nullptr));
    ::unlink(kNode);
    return result;
}
// mount_device_by_name SOURCE: the kernel opens the path itself.
int mountDeviceByName(const Arguments& arguments) {
    return answer(::mount(arguments.at(0).c_str(), "/tmp", "ext4", MS_RDONLY, nullptr));
}

int openFileSystem(const Arguments&) { return answer(::fsopen("proc", 0)); }
int pickFileSystem(const Arguments&) { return answer(::fspick(AT_FDCWD, "/", 0)); }
int cloneTree(const Arguments&) { return answer(::open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE)); }
int moveMount(const Arguments&) { return answer(::move_mount(AT_FDCWD, "/proc", AT_FDCWD, "/tmp", 0)); }
int changeAttributes(const Arguments&) {
    mount_attr change{};
    change.attr_clr = MOUNT_ATTR_RDONLY;
    return answer(::mount_setattr(AT_FDCWD, "/proc", 0, &change, sizeof change));
}
int pivotRoot(const Arguments&) { return answer(::syscall(SYS_pivot_root, "/", "/tmp")); }

// CVE-2022-0492: a v1 hierarchy, mounted in namespaces of one's own, lets its release_agent be written; the kernel runs
// that program as the host's root.
int writeReleaseAgent() {
    if (::mount("none", "/tmp", "cgroup", 0, "rdma") < 0 && ::mount("none", "/tmp", "cgroup", 0, "memory") < 0) {
        return errno;
    }
    return answer(::open("/tmp/release_agent", O_WRONLY));
}
int releaseAgent(const Arguments&) { return writeReleaseAgent(); }
int releaseAgentInNewNamespaces(const Arguments&) {
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWCGROUP) < 0) return errno;
    return writeReleaseAgent();
}

// The classic way out of a chroot(2) that is not a namespace's root. Refused when it ends where it began.
int leaveChroot(const Arguments&) {
    struct stat before {};
    struct stat after {};
    if (::stat("/", &before) < 0) return errno;
    ::mkdir("/tmp/hst-chroot", 0700);
    const int outside = ::open("/", O_RDONLY | O_DIRECTORY);
    if (::chroot("/tmp/hst-chroot") < 0 || ::fchdir(outside) < 0) return errno;
    for (int i = 0; i < 64; ++i) {
        if (::chdir("..") < 0) return errno;
    }
    if (::chroot(".") < 0 || ::stat("/", &after) < 0) return errno;
    ::rmdir("/tmp/hst-chroot");
    return before.st_ino == after.st_ino && before.st_dev == after.st_dev ? EXDEV : 0;
}

constexpr Attempt kAttempts[] = {
    {"unshare_user", [](const Arguments&) { return unshareFlags(CLONE_NEWUSER); }},
    {"unshare_mount", [](const Arguments&) { return unshareFlags(CLONE_NEWNS); }},
    {"unshare_pid", [](const Arguments&) { return unshareFlags(CLONE_NEWPID); }},
    {"unshare_network", [](const Arguments&) { return unshareFlags(CLONE_NEWNET); }},
    {"unshare_uts", [](const Arguments&) { return unshareFlags(CLONE_NEWUTS); }},
    {"unshare_ipc", [](const Arguments&) { return unshareFlags(CLONE_NEWIPC); }},
    {"unshare_cgroup", [](const Arguments&) { return unshareFlags(CLONE_NEWCGROUP); }},
    {"unshare_time", [](const Arguments&) { return unshareFlags(0x80); }},
    {"unshare_user_and_cgroup",
     [](const Arguments&) { return unshareFlags(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWCGROUP); }},
    {"clone_user", cloneUser},
    {"clone3_user", clone3User},
    {"setns", enterNamespace},
    {"parent_namespace", askParentNamespace},
    {"uid_map", mapIds},
    {"mount_tmpfs", mountTmpfs},
    {"mount_bind", mountBind},
    {"mount_proc", mountProc},
    {"mount_writable", mountWritable},
    {"unmount", unmount},
    {"mount_device", mountDevice},
    {"mount_device_by_name", mountDeviceByName},
    {"fsopen", openFileSystem},
    {"fspick", pickFileSystem},
    {"open_tree", cloneTree},
    {"move_mount", moveMount},
    {"mount_setattr", changeAttributes},
    {"pivot_root", pivotRoot},
    {"release_agent", releaseAgent},
    {"release_agent_in_new_namespaces", releaseAgentInNewNamespaces},
    {"leave_chroot", leaveChroot},
};

}  // namespace

std::span<const Attempt> namespaceAttempts() { return kAttempts; }

}  // namespace homeslice::attacker
