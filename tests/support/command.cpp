#include "tests/support/command.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <sstream>

#include "base/unique_fd.h"

namespace homeslice::testing_support {
namespace {

using Clock = std::chrono::steady_clock;

struct Pipe {
    UniqueFd read;
    UniqueFd write;
};

Pipe makePipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) std::abort();
    return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

[[noreturn]] void becomeProgram(const std::vector<std::string>& argv, int in, int out, int err) {
    ::dup2(in, STDIN_FILENO);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(err, STDERR_FILENO);
    std::vector<char*> words;
    for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    ::execvp(words[0], words.data());
    ::_exit(127);
}

// Appends what can be read; closes `fd` at its end.
void drain(UniqueFd& fd, std::string& text) {
    std::array<char, 65536> buffer{};
    const ssize_t n = ::read(fd.get(), buffer.data(), buffer.size());
    if (n > 0) {
        text.append(buffer.data(), static_cast<size_t>(n));
    } else {
        fd.reset();
    }
}

void feed(UniqueFd& fd, std::string& rest) {
    const ssize_t n = rest.empty() ? 0 : ::write(fd.get(), rest.data(), rest.size());
    if (n > 0) rest.erase(0, static_cast<size_t>(n));
    if (n <= 0 || rest.empty()) fd.reset();
}

int millisUntil(Clock::time_point deadline) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    return left > 0 ? static_cast<int>(left) : 0;
}

// Passes data until the program has ended. What background children of its hold open afterwards is not waited for.
bool converse(int pidfd, UniqueFd& in, UniqueFd& out, UniqueFd& err, std::string input, CommandResult& result,
              Clock::time_point deadline) {
    bool ended = false;
    while (!ended || out.valid() || err.valid()) {
        std::array<pollfd, 4> fds{pollfd{out.get(), POLLIN, 0}, pollfd{err.get(), POLLIN, 0},
                                  pollfd{in.get(), POLLOUT, 0}, pollfd{ended ? -1 : pidfd, POLLIN, 0}};
        const int ready = ::poll(fds.data(), fds.size(), ended ? 0 : millisUntil(deadline));
        if (ready == 0) return ended;
        if (fds[0].revents != 0) drain(out, result.out);
        if (fds[1].revents != 0) drain(err, result.err);
        if (fds[2].revents != 0) feed(in, input);
        if (fds[3].revents != 0) ended = true;
    }
    return true;
}

}  // namespace

CommandResult runCommand(const std::vector<std::string>& argv, const std::string& input, std::chrono::seconds timeout) {
    std::signal(SIGPIPE, SIG_IGN);
    Pipe in = makePipe();
    Pipe out = makePipe();
    Pipe err = makePipe();
    const auto start = Clock::now();
    const pid_t pid = ::fork();
    if (pid == 0) becomeProgram(argv, in.read.get(), out.write.get(), err.write.get());
    in.read.reset();
    out.write.reset();
    err.write.reset();
    const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));

    CommandResult result;
    const bool in_time = converse(pidfd.get(), in.write, out.read, err.read, input, result, start + timeout);
    if (!in_time) ::kill(pid, SIGKILL);
    int status = 0;
    ::waitpid(pid, &status, 0);
    result.took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start);
    if (!in_time) {
        result.status = 124;
    } else {
        result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    return result;
}

std::vector<std::string> linesOf(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
}

std::string lastLine(const std::string& text) {
    std::string last;
    for (const std::string& line : linesOf(text)) {
        if (!line.empty()) last = line;
    }
    return last;
}

}  // namespace homeslice::testing_support
