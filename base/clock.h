// Time. Durations inside a process use the monotonic clock, points in time that are shown or stored use UTC.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace homeslice {

using Monotonic = std::chrono::steady_clock;
using Utc = std::chrono::system_clock;

// Microseconds since the Unix epoch, the form in which stores and the API keep time.
int64_t toUnixMicros(Utc::time_point time);
Utc::time_point fromUnixMicros(int64_t micros);

// "2026-01-02T03:04:05.678Z" (RFC 3339, UTC, milliseconds).
std::string formatUtc(Utc::time_point time);

}  // namespace homeslice
