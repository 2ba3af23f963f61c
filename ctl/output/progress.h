// How far a long piece of work has come, on stderr: a bar that redraws itself on a terminal, nothing otherwise. The end
// is told in one line, on both.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "ctl/output/io.h"

namespace homeslice::ctl {

// Not thread safe. The destructor wipes a bar that was not finished.
class Progress {
public:
    enum class Unit { count, bytes };

    // `label` stands before the bar ("slice web").
    Progress(const Io& io, std::string label, Unit unit = Unit::count);
    ~Progress();
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    // `total` 0: not known, no bar but the step. Redraws at most ten times a second, and whenever `step` changes.
    void update(uint64_t done, uint64_t total, const std::string& step);
    // Wipes the bar and writes "<label>: <outcome>" as a line.
    void finish(const std::string& outcome);

private:
    void draw(uint64_t done, uint64_t total, const std::string& step);
    void wipe();

    const Io& io_;
    std::string label_;
    Unit unit_;
    bool drawn_ = false;
    std::string step_;
    std::chrono::steady_clock::time_point last_draw_;
};

}  // namespace homeslice::ctl
