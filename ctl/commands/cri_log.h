// Container logs in the CRI format that nodes keep: "2026-01-02T03:04:05.678901234Z stdout F text".
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "ctl/commands/log_position.h"

namespace homeslice::ctl {

// Turns pieces of a log into text. Parts of one line (tag P) become one line again. A line that is not in the format
// passes as it is. Used by one thread.
class CriLogReader {
public:
    using Sink = std::function<void(const std::string&)>;

    // `timestamps`: keep each line's time in front.
    CriLogReader(bool timestamps, Sink sink);

    void feed(const std::string& data);
    // The connection was lost; what comes next may begin with records that were fed before, which are left out. From
    // when on to ask, in Unix microseconds; nothing when nothing was fed yet.
    std::optional<int64_t> reconnect();
    // Hands over a last line that was cut off. Call once, at the end.
    void finish();

private:
    void takeLine(const std::string& line);

    bool timestamps_;
    LogPosition position_;
    Sink sink_;
    std::string pending_;
    bool continues_ = false;  // the last part was a P
    std::string stream_;      // of the last part
};

}  // namespace homeslice::ctl
