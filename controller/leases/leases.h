// Leases: how long a slice lives unless renewed (soft state). Pure functions.
#pragma once

#include <absl/status/statusor.h>

#include <chrono>
#include <cstdint>
#include <string>

#include "controller/model/model.h"

namespace homeslice::controller {

inline constexpr std::chrono::seconds kMaxLease = std::chrono::hours(24 * 30);
inline constexpr std::chrono::seconds kLeaseWarning = std::chrono::hours(24);  // before the end

// A lease for a new slice, `asked_s` seconds or `fallback` when that is 0. INVALID_ARGUMENT above kMaxLease.
absl::StatusOr<std::chrono::seconds> checkLease(uint32_t asked_s, std::chrono::seconds fallback);

// What a renewal gets: what is asked for, or `fallback`, but never more than kMaxLease.
std::chrono::seconds grantRenewal(uint32_t asked_s, std::chrono::seconds fallback);

// What a lease that ends does to its slice: a warning, then a halt that a renewal undoes, then the deletion.
enum class LeaseState { active, ending, over, past_grace };
LeaseState leaseState(const Slice& slice, std::chrono::seconds grace, int64_t now_us);

// When a slice whose lease is over is deleted, unless it is renewed.
int64_t deletionTime(const Slice& slice, std::chrono::seconds grace);

// "90s", "15m", "12h", "7d" or plain seconds. INVALID_ARGUMENT on anything else, on 0 and above ten years.
absl::StatusOr<std::chrono::seconds> parseDuration(const std::string& text);

}  // namespace homeslice::controller
