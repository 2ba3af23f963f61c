#include "base/clock.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace homeslice {

int64_t toUnixMicros(Utc::time_point time) {
    return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
}

Utc::time_point fromUnixMicros(int64_t micros) {
    return Utc::time_point(std::chrono::duration_cast<Utc::duration>(std::chrono::microseconds(micros)));
}

std::string formatUtc(Utc::time_point time) {
    const int64_t millis = toUnixMicros(time) / 1000;
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(static_cast<std::time_t>(millis / 1000)),
                       millis % 1000);
}

}  // namespace homeslice
