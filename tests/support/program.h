// A program that runs beside the test: killed with the object, and with the test.
#pragma once

#include <sys/types.h>

#include <csignal>
#include <string>
#include <vector>

namespace homeslice::testing_support {

class Program {
public:
    Program() = default;
    // `argv[0]` is found by PATH; what it says is appended to the file `log`.
    Program(const std::vector<std::string>& argv, const std::string& log);
    ~Program() { end(SIGKILL); }
    Program(Program&& other) noexcept;
    Program& operator=(Program&& other) noexcept;

    pid_t pid() const { return pid_; }  // 0: there is none
    bool running();
    void signal(int number) const;
    // Sends the signal, and waits for the end. The exit status, or 128 and the signal that ended it.
    int end(int signal_number);

private:
    pid_t pid_ = 0;
    int status_ = -1;
};

}  // namespace homeslice::testing_support
