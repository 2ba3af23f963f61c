#include "noded/isolation/resources_cpu_shares.h"

#include <algorithm>
#include <cmath>

namespace homeslice::isolation {
namespace {

constexpr uint32_t kDefaultWeight = 100;
constexpr double kLeast = 1;
constexpr double kMost = 10'000;
constexpr double kReservable = 0.99;

uint32_t givenWeight(const CpuShare& share) { return share.weight == 0 ? kDefaultWeight : share.weight; }

}  // namespace

CpuShares::CpuShares(uint32_t capacity_millis) : capacity_millis_(std::max(1U, capacity_millis)) {}

void CpuShares::add(const CpuShare& share, int64_t sign) {
    stale_ = stale_ || hasReservations();
    reserved_millis_ += static_cast<uint64_t>(sign * share.reservation_millis);
    weights_ += static_cast<uint64_t>(sign * givenWeight(share));
    stale_ = stale_ || hasReservations();
}

uint32_t CpuShares::set(const std::string& group, const CpuShare& share) {
    const auto found = groups_.find(group);
    if (found != groups_.end() && found->second.share == share && !stale_) return found->second.told;
    if (found != groups_.end()) add(found->second.share, -1);
    add(share, 1);
    Group& entry = groups_[group];
    entry.share = share;
    entry.told = weightOf(share, scale());
    return entry.told;
}

void CpuShares::remove(const std::string& group) {
    const auto found = groups_.find(group);
    if (found == groups_.end()) return;
    add(found->second.share, -1);
    groups_.erase(found);
}

double CpuShares::exactWeight(const CpuShare& share) const {
    const double weight = givenWeight(share);
    if (share.reservation_millis == 0) return weight;
    const double wanted = static_cast<double>(reserved_millis_);
    const double kept = std::min(wanted, kReservable * capacity_millis_);
    const double reservation = share.reservation_millis * kept / wanted;
    return weight + reservation * static_cast<double>(weights_) / (capacity_millis_ - kept);
}

double CpuShares::scale() const {
    if (!hasReservations()) return 1;
    double heaviest = kMost;
    for (const auto& [name, group] : groups_) heaviest = std::max(heaviest, exactWeight(group.share));
    return kMost / heaviest;
}

// Rounded in favour of reservations.
uint32_t CpuShares::weightOf(const CpuShare& share, double scale) const {
    const double exact = exactWeight(share) * scale;
    const double whole = share.reservation_millis == 0 ? std::floor(exact) : std::ceil(exact);
    return static_cast<uint32_t>(std::clamp(whole, kLeast, kMost));
}

std::vector<CpuShares::Change> CpuShares::takeChanges() {
    std::vector<Change> changes;
    const double common_scale = scale();
    for (auto& [name, group] : groups_) {
        const uint32_t weight = weightOf(group.share, common_scale);
        if (weight == group.told) continue;
        group.told = weight;
        changes.push_back({.group = name, .weight = weight});
    }
    stale_ = false;
    return changes;
}

}  // namespace homeslice::isolation
