#include "runner.h"

#include <fcntl.h>
#include <mntent.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <map>
#include <thread>

#include "base/clock.h"
#include "base/defer.h"
#include "base/file.h"
#include "base/status.h"
#include "memory.h"

extern char** environ;

namespace homeslice::bench {
namespace {

// 0 on failure. Quiet: some peers say a word about each container. Each gets the filter opened anew: bubblewrap reads
// it to the end.
pid_t spawn(const std::vector<std::string>& command, const std::string& filter) {
    std::vector<char*> argv;
    for (const std::string& argument : command) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    posix_spawn_file_actions_t files;
    ::posix_spawn_file_actions_init(&files);
    const Defer destroy([&files] { ::posix_spawn_file_actions_destroy(&files); });
    ::posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDWR, 0);
    ::posix_spawn_file_actions_adddup2(&files, STDIN_FILENO, STDOUT_FILENO);
    ::posix_spawn_file_actions_addopen(&files, kFilterFd, filter.c_str(), O_RDONLY, 0);
    pid_t pid = 0;
    return ::posix_spawnp(&pid, argv[0], &files, nullptr, argv.data(), environ) == 0 ? pid : 0;
}

void hideCgroupV2() {
    FILE* mounts = ::setmntent("/proc/self/mounts", "re");
    std::vector<std::string> hidden;
    bool has_v1 = false;
    while (const mntent* entry = mounts == nullptr ? nullptr : ::getmntent(mounts)) {
        const std::string type = entry->mnt_type;
        if (type == "cgroup2") hidden.emplace_back(entry->mnt_dir);
        has_v1 = has_v1 || type == "cgroup";
    }
    if (mounts != nullptr) ::endmntent(mounts);
    if (!has_v1) return;
    for (const std::string& path : hidden) ::umount2(path.c_str(), MNT_DETACH);
}

bool enterMountNamespace() {
    if (::unshare(CLONE_NEWNS) != 0) return false;
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return false;
    hideCgroupV2();
    return true;
}

bool isPayload(pid_t pid) { return nameOf(pid) == "sleep" || nameOf(pid) == "busybox"; }

// Waits until the payload runs, somewhere below the runtime; false when the runtime ends first, or it never does.
bool awaitPayload(pid_t runtime) {
    const auto deadline = Monotonic::now() + std::chrono::seconds(20);
    while (Monotonic::now() < deadline) {
        const std::vector<pid_t> tree = treeOf(runtime);
        if (std::any_of(tree.begin() + 1, tree.end(), isPayload)) return true;
        if (::waitpid(runtime, nullptr, WNOHANG) != 0) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Runner>> Runner::start(std::vector<Peer> peers, const std::string& directory) {
    std::unique_ptr<Runner> runner(new Runner(std::move(peers), directory + "/" + kFilterFile));
    int ends[2] = {-1, -1};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return errnoStatus(errno, "socketpair");
    const UniqueFd theirs(ends[1]);
    runner->socket_.reset(ends[0]);
    runner->process_ = ::fork();
    if (runner->process_ < 0) return errnoStatus(errno, "fork");
    if (runner->process_ == 0) {
        runner->socket_.reset(::fcntl(theirs.get(), F_DUPFD_CLOEXEC, kFilterFd + 1));  // out of the filter's place
        runner->serve();
    }
    return runner;
}

Runner::~Runner() {
    socket_.reset();  // at which it ends
    ::waitpid(process_, nullptr, 0);
}

void Runner::serve() {
    // So that what peers leave behind is reaped, by runMany().
    if (::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0 || !enterMountNamespace()) ::_exit(1);
    Request request{};
    while (::recv(socket_.get(), &request, sizeof(request), 0) == sizeof(request)) {
        const Reply reply = answer(request);
        if (::send(socket_.get(), &reply, sizeof(reply), MSG_NOSIGNAL) != sizeof(reply)) break;
    }
    ::_exit(0);
}

Runner::Reply Runner::answer(const Request& request) {
    const Peer& peer = peers_[request.peer];
    if (request.kind == Request::memory) return measureMemory(peer, request.count);
    return runMany(peer, request.count, request.parallel);
}

Runner::Reply Runner::runMany(const Peer& peer, uint32_t count, uint32_t parallel) {
    Reply reply{};
    std::map<pid_t, uint32_t> slots;
    std::vector<uint32_t> idle;
    for (uint32_t slot = 0; slot < std::min(parallel, kPeerSlots); ++slot) idle.push_back(slot);
    const auto begin = Monotonic::now();
    for (uint32_t started = 0; started < count || !slots.empty();) {
        while (started < count && !idle.empty()) {
            const pid_t pid = spawn(peer.command(Payload::brief, idle.back()), filter_);
            ++started;
            if (pid == 0) {
                ++reply.failures;
                continue;
            }
            slots.emplace(pid, idle.back());
            idle.pop_back();
        }
        int status = 0;
        const pid_t ended = ::waitpid(-1, &status, 0);
        const auto found = slots.find(ended);
        if (found == slots.end()) continue;
        if (status != 0) ++reply.failures;
        idle.push_back(found->second);
        slots.erase(found);
    }
    reply.value = std::chrono::duration<double>(Monotonic::now() - begin).count();
    return reply;
}

Runner::Reply Runner::measureMemory(const Peer& peer, uint32_t count) {
    Reply reply{};
    std::vector<pid_t> runtimes;
    for (uint32_t slot = 0; slot < std::min(count, kPeerSlots); ++slot) {
        const pid_t pid = spawn(peer.command(Payload::lasting, slot), filter_);
        if (pid == 0 || !awaitPayload(pid)) ++reply.failures;
        if (pid != 0) runtimes.push_back(pid);
    }
    std::vector<pid_t> payloads;
    for (const pid_t runtime : runtimes) {
        for (const pid_t pid : treeOf(runtime)) {
            if (isPayload(pid)) {
                payloads.push_back(pid);
            } else {
                reply.value += pssOf(pid) / static_cast<double>(runtimes.size());
            }
        }
    }
    for (const pid_t payload : payloads) ::kill(payload, SIGKILL);
    if (reply.failures > 0) {
        for (const pid_t runtime : runtimes) ::kill(runtime, SIGKILL);
    }
    for (const pid_t runtime : runtimes) ::waitpid(runtime, nullptr, 0);
    return reply;
}

absl::StatusOr<double> Runner::ask(const Request& request) {
    Reply reply{};
    if (::send(socket_.get(), &request, sizeof(request), MSG_NOSIGNAL) != sizeof(request) ||
        ::recv(socket_.get(), &reply, sizeof(reply), 0) != sizeof(reply)) {
        return unavailable("the process that runs the peers ended");
    }
    if (reply.failures == 0) return reply.value;
    return internalError(std::to_string(reply.failures) + " of " + std::to_string(request.count) + " runs of " +
                         peers_[request.peer].name + " failed; its words are above");
}

absl::StatusOr<double> Runner::run(size_t peer, uint32_t count, uint32_t parallel) {
    return ask({Request::run, static_cast<uint32_t>(peer), count, parallel});
}

absl::StatusOr<double> Runner::memory(size_t peer, uint32_t count) {
    return ask({Request::memory, static_cast<uint32_t>(peer), count, 1});
}

}  // namespace homeslice::bench
