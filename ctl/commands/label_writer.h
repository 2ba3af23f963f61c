// Output of many slivers on the same streams, line by line.
#pragma once

#include <mutex>
#include <ostream>
#include <string>

namespace homeslice::ctl {

// One source's output on one stream. Each line gets the label in front; lines of sources that share `mutex` are never
// mixed. A line longer than 64 KiB is broken there. Used by one thread.
class LabelWriter {
public:
    // No "label | " when `label` is empty.
    LabelWriter(std::ostream& out, std::mutex& mutex, const std::string& label);
    // Writes what has not seen its newline, with one.
    ~LabelWriter();
    LabelWriter(const LabelWriter&) = delete;
    LabelWriter& operator=(const LabelWriter&) = delete;

    // Any piece of the output; need not end at a line's end.
    void write(const std::string& data);

private:
    void writeLines(const std::string& lines);

    std::ostream& out_;
    std::mutex& mutex_;
    std::string prefix_;
    std::string pending_;
};

}  // namespace homeslice::ctl
