#include "noded/sys/program.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/defer.h"
#include "base/file.h"
#include "base/status.h"

namespace homeslice::sys {
namespace {

constexpr size_t kLastWords = 500;

std::string lastWords(std::string text) {
    text.erase(text.find_last_not_of(" \n") + 1);
    for (char& c : text) c = c == '\n' ? ' ' : c;
    return text.size() <= kLastWords ? text : text.substr(text.size() - kLastWords);
}

absl::StatusOr<pid_t> spawn(const std::vector<std::string>& argv, int output) {
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    const Defer destroy([&actions] { ::posix_spawn_file_actions_destroy(&actions); });
    ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
    std::vector<char*> words;
    for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
    char language[] = "LC_ALL=C";
    char* environment[] = {path, language, nullptr};
    pid_t pid = -1;
    for (const char* directory : {"/usr/sbin/", "/sbin/", "/usr/bin/", "/bin/"}) {
        const std::string program = directory + argv.at(0);
        const int error = ::posix_spawn(&pid, program.c_str(), &actions, nullptr, words.data(), environment);
        if (error == 0) return pid;
        if (error != ENOENT) return errnoStatus(error, "run " + program);
    }
    return notFound("there is no program " + argv[0] + " on this node");
}

}  // namespace

absl::Status runProgram(const std::vector<std::string>& argv, int worst) {
    int ends[2] = {-1, -1};
    if (::pipe2(ends, O_CLOEXEC) != 0) return errnoStatus(errno, "pipe2");
    const UniqueFd reader(ends[0]);
    UniqueFd writer(ends[1]);
    HS_ASSIGN_OR_RETURN(const pid_t pid, spawn(argv, writer.get()));
    writer.reset();
    const std::string output = readAll(reader.get()).value_or("");
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) return errnoStatus(errno, "waitpid(" + argv[0] + ")");
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) <= worst) return absl::OkStatus();
    return failedPrecondition(argv[0] + " failed: " + lastWords(output));
}

}  // namespace homeslice::sys
