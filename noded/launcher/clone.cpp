#include "noded/launcher/clone.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "noded/launcher/child.h"

namespace homeslice::launcher {
namespace {

// The cgroup namespace is missing: made here it would be rooted in the launcher's own v2 group, so the child makes it.
constexpr uint64_t kNamespaces =
    CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC;

bool fail(Cloned& cloned, int error, const char* step, const char* subject) {
    cloned.message.error = error;
    ::snprintf(cloned.message.step, sizeof(cloned.message.step), "%s %s", step, subject);
    return false;
}

bool openSetupSocket(Cloned& cloned, UniqueFd& child_end) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return fail(cloned, errno, "socketpair", "");
    cloned.setup.reset(ends[0]);
    child_end.reset(ends[1]);
    return true;
}

bool enterGroups(Cloned& cloned, HomeGroups& home, const SliverGroups& groups) {
    for (size_t i = 0; i < groups.v1_count; ++i) {
        const int error = home.enter(groups.v1_directories[i]);
        if (error != 0) return fail(cloned, error, "enter cgroup", groups.v1_directories[i]);
    }
    return true;
}

// While this lives, the launcher acts as the sliver's own user on the host: whoever makes a user namespace owns it, and
// is who the kernel charges with what it counts by user (inotify instances, pending signals, message queues, locked
// memory). Owned by root, all slivers would share root's. The launcher keeps its capabilities meanwhile (server.cpp).
class ActAs {
public:
    explicit ActAs(uint32_t uid) : acts_(::syscall(SYS_setresuid, -1, uid, -1) == 0) {}
    ~ActAs() {
        if (acts_ && ::syscall(SYS_setresuid, -1, 0, -1) != 0) ::abort();
    }
    ActAs(const ActAs&) = delete;
    ActAs& operator=(const ActAs&) = delete;
    bool acts() const { return acts_; }

private:
    bool acts_;
};

bool startChild(Cloned& cloned, const char* v2_directory, uint32_t owner, UniqueFd child_end) {
    clone_args args{};
    int pidfd = -1;
    UniqueFd v2_group;
    args.flags = kNamespaces | CLONE_PIDFD;
    args.pidfd = reinterpret_cast<uintptr_t>(&pidfd);
    args.exit_signal = SIGCHLD;
    if (*v2_directory != '\0') {
        v2_group.reset(::open(v2_directory, O_PATH | O_DIRECTORY | O_CLOEXEC));
        if (!v2_group) return fail(cloned, errno, "open cgroup", v2_directory);
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = static_cast<uint64_t>(v2_group.get());
    }
    const ActAs sliver(owner);
    if (!sliver.acts()) return fail(cloned, errno, "setresuid", "");
    const auto pid = static_cast<pid_t>(::syscall(SYS_clone3, &args, sizeof(args)));
    if (pid == 0) runChild(std::move(child_end));
    if (pid < 0) return fail(cloned, errno, "clone3", v2_directory);
    cloned.message.pid = pid;
    cloned.pidfd.reset(pidfd);
    return true;
}

// Opens /proc/PID/NAME of the child.
UniqueFd openOfChild(Cloned& cloned, const char* name, int flags) {
    char path[64];
    ::snprintf(path, sizeof(path), "/proc/%d/%s", cloned.message.pid, name);
    UniqueFd file(::open(path, flags | O_CLOEXEC));
    if (!file) fail(cloned, errno, "open", path);
    return file;
}

bool mapIds(Cloned& cloned, const char* map, uint32_t first_id, uint32_t id_count) {
    const UniqueFd file = openOfChild(cloned, map, O_WRONLY);
    if (!file) return false;
    char text[64];
    const int size = ::snprintf(text, sizeof(text), "0 %u %u\n", first_id, id_count);
    if (::write(file.get(), text, static_cast<size_t>(size)) == size) return true;
    return fail(cloned, errno, "write", map);
}

// Field 22 of stat; the name in field 2 may hold anything, so the count begins behind its last parenthesis.
bool readStartTime(Cloned& cloned) {
    const UniqueFd file = openOfChild(cloned, "stat", O_RDONLY);
    if (!file) return false;
    char text[1024];
    const ssize_t size = ::read(file.get(), text, sizeof(text) - 1);
    if (size < 0) return fail(cloned, errno, "read", "stat");
    text[size] = '\0';
    const char* at = ::strrchr(text, ')');
    for (int field = 2; field < 22 && at != nullptr; ++field) at = ::strchr(at + 1, ' ');
    if (at == nullptr) return fail(cloned, EINVAL, "read", "stat");
    cloned.message.start_time = ::strtoull(at, nullptr, 10);
    return true;
}

bool openNamespaces(Cloned& cloned) {
    cloned.user_namespace = openOfChild(cloned, "ns/user", O_RDONLY);
    cloned.network_namespace = openOfChild(cloned, "ns/net", O_RDONLY);
    return cloned.user_namespace.valid() && cloned.network_namespace.valid();
}

void endChild(Cloned& cloned) {
    ::kill(cloned.message.pid, SIGKILL);
    while (::waitpid(cloned.message.pid, nullptr, 0) < 0 && errno == EINTR) continue;
    cloned.message.pid = 0;
}

}  // namespace

Cloned cloneSliver(HomeGroups& home, const SliverGroups& groups, uint32_t first_id, uint32_t id_count) {
    Cloned cloned;
    UniqueFd child_end;
    if (!openSetupSocket(cloned, child_end)) return cloned;
    const bool started =
        enterGroups(cloned, home, groups) && startChild(cloned, groups.v2_directory, first_id, std::move(child_end));
    home.comeBack();
    if (!started) return cloned;
    const bool complete = readStartTime(cloned) && mapIds(cloned, "uid_map", first_id, id_count) &&
                          mapIds(cloned, "gid_map", first_id, id_count) && openNamespaces(cloned);
    if (!complete) endChild(cloned);
    return cloned;
}

}  // namespace homeslice::launcher
