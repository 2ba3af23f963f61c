// The key of a list that is in the order of time: a time, then an id among those of the same time.
#pragma once

#include <absl/status/statusor.h>

#include <charconv>
#include <cstdint>
#include <string>

#include "base/status.h"
#include "controller/api/pager.h"

namespace homeslice::controller {

struct TimedKey {
    int64_t time_us = 0;
    std::string id;

    auto operator<=>(const TimedKey&) const = default;

    std::string text() const { return std::to_string(time_us) + "/" + id; }
    static absl::StatusOr<TimedKey> parse(const std::string& text) {
        TimedKey key;
        const char* const end = text.data() + text.size();
        const auto [slash, error] = std::from_chars(text.data(), end, key.time_us);
        if (error != std::errc() || slash == end || *slash != '/') return Pager::badToken();
        key.id.assign(slash + 1, end);
        return key;
    }
};

}  // namespace homeslice::controller
