#include "process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <sstream>

#include "base/file.h"
#include "base/status.h"
#include "memory.h"

namespace homeslice::bench {
namespace {

[[noreturn]] void become(const std::vector<std::string>& argv, const std::string& log) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int file = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    ::dup2(file, STDOUT_FILENO);
    ::dup2(file, STDERR_FILENO);
    std::vector<char*> words;
    for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    ::execvp(words[0], words.data());
    ::_exit(127);
}

absl::StatusOr<pid_t> spawn(const std::vector<std::string>& argv, const std::string& log) {
    const pid_t pid = ::fork();
    if (pid < 0) return errnoStatus(errno, "fork");
    if (pid == 0) become(argv, log);
    return pid;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Process>> Process::start(const std::vector<std::string>& argv, const std::string& log) {
    HS_ASSIGN_OR_RETURN(const pid_t pid, spawn(argv, log));
    return std::unique_ptr<Process>(new Process(pid));
}

absl::Status Process::run(const std::vector<std::string>& argv, const std::string& log) {
    HS_ASSIGN_OR_RETURN(const pid_t pid, spawn(argv, log));
    int status = 0;
    ::waitpid(pid, &status, 0);
    if (status == 0) return absl::OkStatus();
    return internalError(argv.front() + ": status " + std::to_string(status) + ": " + readFile(log).value_or(""));
}

void Process::kill() {
    if (pid_ == 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
}

bool Process::running() const { return pid_ != 0 && ::waitpid(pid_, nullptr, WNOHANG) == 0; }

double Process::cpuSeconds() const {
    // Behind the name in parentheses: state, ten more fields, utime, stime; see proc(5).
    constexpr int kFieldsBefore = 11;
    const std::string stat = readFile("/proc/" + std::to_string(pid_) + "/stat").value_or(")");
    std::istringstream words(stat.substr(stat.rfind(')') + 1));
    std::string skipped;
    for (int i = 0; i < kFieldsBefore; ++i) words >> skipped;
    double user = 0;
    double system = 0;
    words >> user >> system;
    return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

double Process::memory() const { return pssOf(pid_); }

}  // namespace homeslice::bench
