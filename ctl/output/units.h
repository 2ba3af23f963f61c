// Quantities as people read them.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"

namespace homeslice::ctl {

// "0", "512", "128M", "1.5G": powers of 1024, at most one decimal.
std::string humanBytes(uint64_t bytes);
// "9600", "100M", "1.5G" bits a second: powers of 1000, at most one decimal.
std::string humanBitRate(uint64_t bits_per_second);
// The largest unit that keeps the number readable: "45s", "5m", "3h", "6d". Negative counts as zero.
std::string humanDuration(std::chrono::seconds duration);
// "0.41 s", "2.3 s", "1m 05s": how long something took.
std::string humanElapsed(std::chrono::milliseconds elapsed);
// "5m" when `time` is past, "in 5m" when it is to come.
std::string humanAge(Utc::time_point time, Utc::time_point now);
// The inverse of formatUtc(); nothing when `text` is not of that form.
std::optional<Utc::time_point> parseUtc(const std::string& text);

}  // namespace homeslice::ctl
