#include "ctl/commands/log_position.h"

#include "base/clock.h"
#include "ctl/commands/parse_time.h"

namespace homeslice::ctl {
namespace {

// Empty for what is not in the format of cri_log.h.
std::string timeOf(const std::string& record) {
    constexpr size_t kSize = sizeof("2026-01-02T03:04:05.678901234Z") - 1;
    const bool fits = record.size() > kSize && record[kSize] == ' ' && record[kSize - 1] == 'Z';
    return fits ? record.substr(0, kSize) : "";
}

}  // namespace

bool LogPosition::take(const std::string& record) {
    const std::string time = timeOf(record);
    if (catching_up_) {
        if (time < last_time_) return false;
        if (time == last_time_ && to_skip_ > 0) {
            --to_skip_;
            return false;
        }
        catching_up_ = false;
    }
    if (time.empty()) return true;
    seen_then_ = time == last_time_ ? seen_then_ + 1 : 1;
    last_time_ = time;
    return true;
}

void LogPosition::reconnect() {
    catching_up_ = begun();
    to_skip_ = seen_then_;
}

int64_t LogPosition::sinceUs() const {
    const auto time = parseTime("", last_time_, Utc::now());
    return time.ok() ? toUnixMicros(*time) : 0;
}

}  // namespace homeslice::ctl
