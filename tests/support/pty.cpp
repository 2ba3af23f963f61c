#include "tests/support/pty.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>

namespace homeslice::testing_support {
namespace {

using Clock = std::chrono::steady_clock;

winsize sizeOf(uint16_t columns, uint16_t rows) {
    winsize size{};
    size.ws_col = columns;
    size.ws_row = rows;
    return size;
}

int millisUntil(Clock::time_point deadline) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    return static_cast<int>(std::max<int64_t>(left, 0));
}

}  // namespace

PtyProgram::PtyProgram(const std::vector<std::string>& argv, uint16_t columns, uint16_t rows) {
    std::vector<char*> words;
    for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    const winsize size = sizeOf(columns, rows);
    int master = -1;
    pid_ = ::forkpty(&master, nullptr, nullptr, &size);
    if (pid_ < 0) std::abort();
    if (pid_ == 0) {
        ::setenv("TERM", "vt100", 1);
        ::execvp(words[0], words.data());
        ::_exit(127);
    }
    terminal_.reset(master);
    ::fcntl(master, F_SETFD, FD_CLOEXEC);
    pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
}

PtyProgram::~PtyProgram() {
    if (pid_ < 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
}

void PtyProgram::type(const std::string& keys) {
    if (::write(terminal_.get(), keys.data(), keys.size()) != static_cast<ssize_t>(keys.size())) std::abort();
}

void PtyProgram::resize(uint16_t columns, uint16_t rows) {
    const winsize size = sizeOf(columns, rows);
    ::ioctl(terminal_.get(), TIOCSWINSZ, &size);
}

bool PtyProgram::readSome(Clock::time_point deadline) {
    pollfd event{.fd = terminal_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&event, 1, millisUntil(deadline)) <= 0) return false;
    std::array<char, 4096> piece{};
    const ssize_t count = ::read(terminal_.get(), piece.data(), piece.size());
    if (count > 0) screen_.append(piece.data(), static_cast<size_t>(count));
    return count > 0;
}

bool PtyProgram::shows(const std::string& text, std::chrono::seconds timeout) {
    const auto deadline = Clock::now() + timeout;
    for (;;) {
        const size_t found = screen_.find(text, seen_);
        if (found != std::string::npos) {
            seen_ = found + text.size();
            return true;
        }
        if (!readSome(deadline)) return false;
    }
}

int PtyProgram::end(std::chrono::seconds timeout) {
    const auto deadline = Clock::now() + timeout;
    while (readSome(deadline)) continue;
    pollfd event{.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&event, 1, millisUntil(deadline)) <= 0) return -1;
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace homeslice::testing_support
