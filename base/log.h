// Logging to stderr, one line an event: "2026-01-02T03:04:05.678Z info noded: text". Thread safe.
//
//   logInfo("sliver {}: {} -> {} after {} ms", id, from, to, ms);
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

namespace homeslice {

enum class LogLevel { debug, info, warning, error };

// Call once from main() before other threads exist.
void initLog(const std::string& program, LogLevel level);
void logLine(LogLevel level, std::string_view text);
// Whether `level` is written; lets callers skip costly formatting.
bool logEnabled(LogLevel level);

template <typename... Args>
void logAt(LogLevel level, fmt::format_string<Args...> format, Args&&... args) {
    if (logEnabled(level)) logLine(level, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void logDebug(fmt::format_string<Args...> format, Args&&... args) {
    logAt(LogLevel::debug, format, std::forward<Args>(args)...);
}
template <typename... Args>
void logInfo(fmt::format_string<Args...> format, Args&&... args) {
    logAt(LogLevel::info, format, std::forward<Args>(args)...);
}
template <typename... Args>
void logWarning(fmt::format_string<Args...> format, Args&&... args) {
    logAt(LogLevel::warning, format, std::forward<Args>(args)...);
}
template <typename... Args>
void logError(fmt::format_string<Args...> format, Args&&... args) {
    logAt(LogLevel::error, format, std::forward<Args>(args)...);
}

}  // namespace homeslice
