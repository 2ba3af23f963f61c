// A program on a terminal, driven key by key as a person would.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/unique_fd.h"

namespace homeslice::testing_support {

class PtyProgram {
public:
    explicit PtyProgram(const std::vector<std::string>& argv, uint16_t columns = 80, uint16_t rows = 24);
    // Kills it if it still runs.
    ~PtyProgram();
    PtyProgram(const PtyProgram&) = delete;
    PtyProgram& operator=(const PtyProgram&) = delete;

    void type(const std::string& keys);
    void resize(uint16_t columns, uint16_t rows);
    // Waits until `text` is on the screen, after what an earlier call found.
    bool shows(const std::string& text, std::chrono::seconds timeout = std::chrono::seconds(20));
    // Everything that it has written so far.
    const std::string& screen() const { return screen_; }
    // Waits for the end: exit status, 128+N after signal N, -1 when it does not end.
    int end(std::chrono::seconds timeout = std::chrono::seconds(20));

private:
    // False when there is nothing more to come, or the time is over.
    bool readSome(std::chrono::steady_clock::time_point deadline);

    pid_t pid_ = -1;
    UniqueFd terminal_;
    UniqueFd pidfd_;
    std::string screen_;
    size_t seen_ = 0;
};

}  // namespace homeslice::testing_support
