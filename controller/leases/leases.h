// Leases: how long a slice lives unless renewed (soft state). Pure functions.
#pragma once

#include <absl/status/statusor.h>

#include <chrono>
#include <cstdint>
#include <string>

#include "controller/model/model.h"

namespace homeslice::controller {

inline constexpr std::chrono::seconds kMaxLease = std::chrono::hours(24 * 30);

// A lease for a new slice, `asked_s` seconds or `fallback` when that is 0. INVALID_ARGUMENT above kMaxLease.
absl::StatusOr<std::chrono::seconds> checkLease(uint32_t asked_s, std::chrono::seconds fallback);

// What a renewal gets: what is asked for, or `fallback`, but never more than kMaxLease.
std::chrono::seconds grantRenewal(uint32_t asked_s, std::chrono::seconds fallback);

bool expired(const Slice& slice, int64_t now_us);

// "90s", "15m", "12h", "7d" or plain seconds. INVALID_ARGUMENT on anything else, on 0 and above ten years.
absl::StatusOr<std::chrono::seconds> parseDuration(const std::string& text);

}  // namespace homeslice::controller
