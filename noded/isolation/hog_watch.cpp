#include "noded/isolation/hog_watch.h"

#include <algorithm>

#include "noded/sys/time_slice.h"

namespace homeslice::isolation {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLeastInterval(50);
constexpr milliseconds kIntervalForEach(1);

}  // namespace

HogWatch::Watched::Watched(sys::Cgroups& cgroups, const std::string& group, uint32_t cpu_millis)
    : brake(cgroups, group, cpu_millis), slices(cgroups, group) {}

HogWatch::HogWatch(sys::Cgroups& cgroups)
    : cgroups_(cgroups), has_slices_(sys::hasTimeSlices()), thread_([this] { run(); }) {}

HogWatch::~HogWatch() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    wake_.notify_one();
    thread_.join();
}

void HogWatch::watch(const std::string& group, uint32_t cpu_millis) {
    const std::lock_guard lock(mutex_);
    const auto [found, is_new] = groups_.try_emplace(group, cgroups_, group, cpu_millis);
    if (!is_new) found->second.brake.setCap(cpu_millis);
    if (groups_.size() == 1) wake_.notify_one();
}

void HogWatch::release(const std::string& group) {
    const std::lock_guard lock(mutex_);
    if (const auto found = groups_.find(group); found != groups_.end()) found->second.brake.release();
}

void HogWatch::resume(const std::string& group) {
    const std::lock_guard lock(mutex_);
    if (const auto found = groups_.find(group); found != groups_.end()) found->second.brake.rearm();
}

void HogWatch::forget(const std::string& group) {
    const std::lock_guard lock(mutex_);
    groups_.erase(group);
}

void HogWatch::run() {
    std::unique_lock lock(mutex_);
    while (!ending_) {
        if (groups_.empty()) {
            wake_.wait(lock);
        } else {
            wake_.wait_for(lock, std::max<milliseconds>(kLeastInterval, kIntervalForEach * groups_.size()));
        }
        if (ending_) return;
        for (auto& [group, watched] : groups_) look(group, watched);
    }
}

void HogWatch::look(const std::string& group, Watched& watched) {
    if (!watched.counters) {
        watched.counters = Counters{.refused_forks = cgroups_.refusedForks(group),
                                    .oom_kills = cgroups_.oomKills(group),
                                    .cpu_micros = cgroups_.cpuMicros(group)};
    }
    const Counters& counters = *watched.counters;
    const auto now = Monotonic::now();
    watched.brake.look({.refused_forks = counters.refused_forks.value(), .oom_kills = counters.oom_kills.value()}, now);
    if (has_slices_) watched.slices.look(counters.cpu_micros.value(), now);
}

}  // namespace homeslice::isolation
