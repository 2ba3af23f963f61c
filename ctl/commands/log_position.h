// How far a log has been seen, by the times of its records: where to go on after a lost connection.
#pragma once

#include <cstdint>
#include <string>

namespace homeslice::ctl {

class LogPosition {
public:
    // Takes a record in; false when it was seen before the connection was lost.
    bool take(const std::string& record);
    // The connection was lost: the next records are the log's from sinceUs() on.
    void reconnect();

    // Whether anything was seen that tells its time.
    bool begun() const { return !last_time_.empty(); }
    // Unix microseconds; of the last record that was seen.
    int64_t sinceUs() const;

private:
    std::string last_time_;
    uint64_t seen_then_ = 0;  // records of that very time
    uint64_t to_skip_ = 0;    // of these, how many come again
    bool catching_up_ = false;
};

}  // namespace homeslice::ctl
