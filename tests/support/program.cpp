#include "tests/support/program.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace homeslice::testing_support {
namespace {

constexpr int kSignalBase = 128;

int exitStatusOf(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : kSignalBase + WTERMSIG(status); }

}  // namespace

Program::Program(const std::vector<std::string>& argv, const std::string& log) {
    std::vector<char*> words;
    for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    const pid_t child = ::fork();
    if (child == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        ::dup2(out, STDOUT_FILENO);
        ::dup2(out, STDERR_FILENO);
        ::execvp(words[0], words.data());
        ::_exit(127);
    }
    ::close(out);
    if (child > 0) pid_ = child;
}

Program::Program(Program&& other) noexcept : pid_(std::exchange(other.pid_, 0)), status_(other.status_) {}

Program& Program::operator=(Program&& other) noexcept {
    if (this == &other) return *this;
    end(SIGKILL);
    pid_ = std::exchange(other.pid_, 0);
    status_ = other.status_;
    return *this;
}

bool Program::running() {
    if (pid_ == 0) return false;
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) != pid_) return true;
    pid_ = 0;
    status_ = exitStatusOf(status);
    return false;
}

void Program::signal(int number) const {
    if (pid_ != 0) ::kill(pid_, number);
}

int Program::end(int signal_number) {
    if (pid_ == 0) return status_;
    ::kill(pid_, signal_number);
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) continue;
    pid_ = 0;
    status_ = exitStatusOf(status);
    return status_;
}

}  // namespace homeslice::testing_support
