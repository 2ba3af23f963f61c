#include <stdio.h>
#include <sys/wait.h>

#include <cstdlib>
#include <cstring>

#include "attempt.h"

namespace homeslice::attacker {

int exitStatusOf(int pid) {
    int status = 0;
    if (::waitpid(pid, &status, 0) < 0) return errno;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int attempt(const Arguments& arguments) {
    const Arguments rest(arguments.begin() + 1, arguments.end());
    for (const auto attempts : {systemCallAttempts(), namespaceAttempts(), processAttempts(), ipcAttempts(),
                                fileAttempts(), networkAttempts(), exhaustionAttempts()}) {
        for (const Attempt& each : attempts) {
            if (arguments[0] == each.name) return each.run(rest);
        }
    }
    ::fprintf(stderr, "attacker: no attempt '%s'\n", arguments[0].c_str());
    return 255;
}

}  // namespace homeslice::attacker

int main(int argc, char** argv) {
    if (argc < 2) return 255;
    const int result = homeslice::attacker::attempt({argv + 1, argv + argc});
    if (result != 0) ::fprintf(stderr, "%s: %s\n", argv[1], std::strerror(result));
    return result;
}
