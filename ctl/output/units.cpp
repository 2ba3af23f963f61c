#include "ctl/output/units.h"

#include <fmt/format.h>

#include <cstdio>
#include <ctime>

namespace homeslice::ctl {

namespace {

std::string scaledDown(uint64_t number, double base) {
    constexpr const char* kUnits[] = {"", "K", "M", "G", "T", "P", "E"};
    auto value = static_cast<double>(number);
    size_t unit = 0;
    while (value >= base && unit + 1 < std::size(kUnits)) {
        value /= base;
        ++unit;
    }
    std::string text = fmt::format("{:.1f}", value);
    if (text.ends_with(".0")) text.resize(text.size() - 2);
    return text + kUnits[unit];
}

}  // namespace

std::string humanBytes(uint64_t bytes) { return scaledDown(bytes, 1024); }

std::string humanBitRate(uint64_t bits_per_second) { return scaledDown(bits_per_second, 1000); }

std::string humanDuration(std::chrono::seconds duration) {
    const int64_t seconds = std::max<int64_t>(duration.count(), 0);
    constexpr int64_t kMinute = 60;
    constexpr int64_t kHour = 60 * kMinute;
    constexpr int64_t kDay = 24 * kHour;
    const auto nearest = [seconds](int64_t unit) { return (seconds + unit / 2) / unit; };
    if (seconds < 2 * kMinute) return fmt::format("{}s", seconds);
    if (seconds < 2 * kHour) return fmt::format("{}m", nearest(kMinute));
    if (seconds < 2 * kDay) return fmt::format("{}h", nearest(kHour));
    return fmt::format("{}d", nearest(kDay));
}

std::string humanElapsed(std::chrono::milliseconds elapsed) {
    const int64_t millis = std::max<int64_t>(elapsed.count(), 0);
    if (millis < 1000) return fmt::format("{:.2f} s", static_cast<double>(millis) / 1000);
    if (millis < 60000) return fmt::format("{:.1f} s", static_cast<double>(millis) / 1000);
    return fmt::format("{}m {:02}s", millis / 60000, millis / 1000 % 60);
}

std::string humanAge(Utc::time_point time, Utc::time_point now) {
    using std::chrono::duration_cast;
    using std::chrono::seconds;
    if (time <= now) return humanDuration(duration_cast<seconds>(now - time));
    return "in " + humanDuration(duration_cast<seconds>(time - now));
}

std::optional<Utc::time_point> parseUtc(const std::string& text) {
    std::tm parts{};
    int millis = 0;
    int end = 0;
    const int fields = std::sscanf(text.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ%n", &parts.tm_year, &parts.tm_mon,
                                   &parts.tm_mday, &parts.tm_hour, &parts.tm_min, &parts.tm_sec, &millis, &end);
    if (fields != 7 || static_cast<size_t>(end) != text.size()) return std::nullopt;
    parts.tm_year -= 1900;
    parts.tm_mon -= 1;
    return Utc::from_time_t(::timegm(&parts)) + std::chrono::milliseconds(millis);
}

}  // namespace homeslice::ctl
