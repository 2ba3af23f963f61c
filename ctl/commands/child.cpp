#include "ctl/commands/child.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/defer.h"
#include "base/status.h"
#include "base/unique_fd.h"

namespace homeslice::ctl {
namespace {

struct Pipe {
    UniqueFd read_end;
    UniqueFd write_end;
};

absl::StatusOr<Pipe> makePipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return errnoStatus(errno, "pipe2");
    return Pipe{.read_end = UniqueFd(ends[0]), .write_end = UniqueFd(ends[1])};
}

absl::StatusOr<pid_t> spawn(const std::vector<std::string>& argv, int output) {
    std::vector<char*> words;
    for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);

    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawnattr_init(&attributes);
    const Defer destroy([&] {
        ::posix_spawn_file_actions_destroy(&files);
        ::posix_spawnattr_destroy(&attributes);
    });
    ::posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&files, output, STDERR_FILENO);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);

    pid_t pid = 0;
    const int error = ::posix_spawn(&pid, words[0], &files, &attributes, words.data(), environ);
    if (error != 0) return errnoStatus(error, argv[0]);
    return pid;
}

// Hands over whole lines until end of file, that is, until all of the group have closed the pipe. The last one that is
// not empty is the answer.
std::string readLines(int fd, const std::function<void(const std::string&)>& sink) {
    std::string last;
    std::string pending;
    const auto take = [&](const std::string& line) {
        if (line.empty()) return;
        last = line;
        sink(line);
    };
    std::array<char, 4096> buffer{};
    for (;;) {
        const ssize_t got = ::read(fd, buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        pending.append(buffer.data(), static_cast<size_t>(got));
        for (size_t end = pending.find('\n'); end != std::string::npos; end = pending.find('\n')) {
            take(pending.substr(0, end));
            pending.erase(0, end + 1);
        }
    }
    take(pending);
    return last;
}

int waitFor(pid_t pid) {
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

}  // namespace

absl::Status runChild(const std::vector<std::string>& argv, Cancellation& cancellation,
                      const std::function<void(const std::string&)>& line) {
    HS_ASSIGN_OR_RETURN(Pipe pipe, makePipe());
    HS_ASSIGN_OR_RETURN(const pid_t pid, spawn(argv, pipe.write_end.get()));
    pipe.write_end.reset();
    std::string last;
    {
        // Gone before the child is reaped: its process group's number is not another's yet.
        const Cancellation::Registration end(cancellation, [pid] { ::kill(-pid, SIGTERM); });
        last = readLines(pipe.read_end.get(), line);
    }
    const int status = waitFor(pid);
    if (cancellation.cancelled()) return cancelled("interrupted");
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return absl::OkStatus();
    const std::string how = WIFEXITED(status) ? "exit status " + std::to_string(WEXITSTATUS(status))
                                              : "signal " + std::to_string(WTERMSIG(status));
    return internalError(argv[0] + " failed with " + how + (last.empty() ? "" : ": " + last));
}

}  // namespace homeslice::ctl
