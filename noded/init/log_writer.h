// The sliver's log (log_format.h). Never blocks the sliver: what cannot be written, on a full disk say, is dropped.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/unique_fd.h"
#include "noded/init/log_format.h"

namespace homeslice::init {

enum class Stream { out, err };

class LogWriter {
public:
    // Appends to the log in the directory, which is borrowed.
    explicit LogWriter(int directory_fd);

    // Removes what an earlier life of the sliver left under a higher limit.
    void keepWithin(const LogLimits& limits);
    // Output of the command as it came; whole lines of it are in the file on return.
    void write(Stream stream, const char* data, size_t size);
    // Writes out what stands without an end of line.
    void finish(Stream stream);

private:
    struct Line {
        char text[kMaxLogText];
        size_t size = 0;
    };
    void addRecord(Stream stream, char flag);
    void flush();
    void openLog();
    void rotate();
    void stampTime();

    int directory_fd_;
    LogLimits limits_;
    UniqueFd file_;
    uint64_t file_size_ = 0;
    Line lines_[2];
    char batch_[64 << 10];
    size_t batch_size_ = 0;
    char time_[32] = {};
};

// Leaves `status` in the exit file of the directory; false when that failed.
bool writeExitFile(int directory_fd, int status);
// Removes what an earlier life of the sliver left.
void removeExitFile(int directory_fd);

}  // namespace homeslice::init
