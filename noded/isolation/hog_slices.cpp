#include "noded/isolation/hog_slices.h"

#include "noded/sys/time_slice.h"

namespace homeslice::isolation {
namespace {

constexpr uint64_t kLongSliceNs = 20'000'000;
constexpr uint64_t kBusyPart = 4;  // of a processor's time, in a look
constexpr std::chrono::seconds kPause(1);
// A new thread has its parent's; one whose parent was just about to get another is found then.
constexpr std::chrono::seconds kAgain(1);

}  // namespace

HogSlices::HogSlices(const sys::Cgroups& cgroups, std::string group) : cgroups_(cgroups), group_(std::move(group)) {}

void HogSlices::look(uint64_t cpu_micros, Monotonic::time_point now) {
    const uint64_t used = cpu_micros - cpu_micros_.value_or(cpu_micros);
    const auto elapsed = std::chrono::duration_cast<std::chrono::microseconds>(now - looked_);
    if (kBusyPart * used > static_cast<uint64_t>(elapsed.count())) busy_ = now;
    const bool is_hog = busy_ && now - *busy_ < kPause;
    if (is_hog != is_hog_ || (is_hog && now - given_ >= kAgain)) {
        give(is_hog ? kLongSliceNs : sys::kShortestSliceNs, now);
    }
    is_hog_ = is_hog;
    cpu_micros_ = cpu_micros;
    looked_ = now;
}

void HogSlices::give(uint64_t slice_ns, Monotonic::time_point now) {
    given_ = now;
    for (const pid_t thread : cgroups_.threads(group_)) static_cast<void>(sys::setTimeSlice(thread, slice_ns));
}

}  // namespace homeslice::isolation
