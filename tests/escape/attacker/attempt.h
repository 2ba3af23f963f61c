// The attacker: a static program that is put into a sliver and tries one thing a run, named by its first argument. Its
// exit status is 0 when the attempt worked, else the errno that refused it.
#pragma once

#include <cerrno>
#include <span>
#include <string>
#include <vector>

namespace homeslice::attacker {

using Arguments = std::vector<std::string>;

struct Attempt {
    const char* name;
    int (*run)(const Arguments& arguments);
};

std::span<const Attempt> systemCallAttempts();
std::span<const Attempt> namespaceAttempts();
std::span<const Attempt> processAttempts();
std::span<const Attempt> ipcAttempts();
std::span<const Attempt> fileAttempts();
std::span<const Attempt> networkAttempts();
std::span<const Attempt> exhaustionAttempts();

// Runs the attempt that `arguments` names.
int attempt(const Arguments& arguments);

// What a system call that returns -1 with errno says.
template <typename Result>
int answer(Result result) {
    return result < 0 ? errno : 0;
}

// `work` in a child of its own; its exit status, 128 + N after signal N.
template <typename Work>
int inChild(Work work);

int exitStatusOf(int pid);

}  // namespace homeslice::attacker

#include <unistd.h>

template <typename Work>
int homeslice::attacker::inChild(Work work) {
    const int pid = ::fork();
    if (pid == 0) ::_exit(work());
    return pid < 0 ? errno : exitStatusOf(pid);
}
