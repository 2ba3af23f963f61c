// Points in time on the command line.
#pragma once

#include <absl/status/statusor.h>

#include <string>

#include "base/clock.h"

namespace homeslice::ctl {

// A time of RFC 3339 ("2026-01-02T03:04:05Z", with decimals or an offset such as +02:00), or how long before `now`
// ("10m"). INVALID_ARGUMENT names `option`.
absl::StatusOr<Utc::time_point> parseTime(const std::string& option, const std::string& text, Utc::time_point now);

// The same, but how long after `now`.
absl::StatusOr<Utc::time_point> parseFuture(const std::string& option, const std::string& text, Utc::time_point now);

}  // namespace homeslice::ctl
