// A program that runs beside the benchmark, and dies with it.
#pragma once

#include <absl/status/statusor.h>
#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

namespace homeslice::bench {

class Process {
public:
    // `argv[0]` is found by PATH; what it says goes to the end of the file `log`. It may have as many files open as the
    // system lets it.
    static absl::StatusOr<std::unique_ptr<Process>> start(const std::vector<std::string>& argv, const std::string& log);
    // Runs to its end, which must be a good one.
    static absl::Status run(const std::vector<std::string>& argv, const std::string& log);
    ~Process() { kill(); }
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    // SIGKILL, and waits for the end.
    void kill();
    bool running() const;
    // Seconds of processor time so far.
    double cpuSeconds() const;
    // Bytes of memory that are its own.
    double memory() const;

private:
    explicit Process(pid_t pid) : pid_(pid) {}

    pid_t pid_;
};

}  // namespace homeslice::bench
