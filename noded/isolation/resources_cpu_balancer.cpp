#include "noded/isolation/resources_cpu_balancer.h"

#include "base/log.h"
#include "base/status.h"

namespace homeslice::isolation {
namespace {

constexpr uint32_t kDefaultWeight = 100;
constexpr uint32_t kHeavy = 10'000;
constexpr uint32_t kUnknown = 0;

uint32_t capacityOfNode() {
    const auto cpus = sys::onlineCpus();
    return 1000 * (cpus.ok() ? static_cast<uint32_t>(cpus->size()) : std::thread::hardware_concurrency());
}

}  // namespace

CpuBalancer::CpuBalancer(std::string parent, sys::Cgroups& cgroups)
    : parent_(std::move(parent)), cgroups_(cgroups), shares_(capacityOfNode()), thread_([this] { run(); }) {}

CpuBalancer::~CpuBalancer() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    wake_.notify_one();
    thread_.join();
}

absl::Status CpuBalancer::add(const std::string& group, const CpuShare& share) {
    return set(group, share, kDefaultWeight);
}

absl::Status CpuBalancer::change(const std::string& group, const CpuShare& share) {
    return set(group, share, kUnknown);
}

absl::Status CpuBalancer::set(const std::string& group, const CpuShare& share, uint32_t weight_so_far) {
    const std::lock_guard lock(mutex_);
    const uint32_t weight = shares_.set(group, share);
    if (shares_.mayHaveChanged()) wake_.notify_one();
    return weight == weight_so_far ? absl::OkStatus() : cgroups_.setCpuWeight(group, weight);
}

void CpuBalancer::remove(const std::string& group) {
    const std::lock_guard lock(mutex_);
    shares_.remove(group);
    if (shares_.mayHaveChanged()) wake_.notify_one();
}

void CpuBalancer::run() {
    std::unique_lock lock(mutex_);
    for (;;) {
        wake_.wait(lock, [this] { return ending_ || shares_.mayHaveChanged(); });
        if (ending_) return;
        writeChanges();
        weighParents();
    }
}

void CpuBalancer::writeChanges() {
    for (const CpuShares::Change& change : shares_.takeChanges()) {
        const absl::Status written = cgroups_.setCpuWeight(change.group, change.weight);
        if (!written.ok()) logWarning("CPU weight of cgroup {}: {}", change.group, messageOf(written));
    }
}

void CpuBalancer::weighParents() {
    if (parents_are_heavy_ == shares_.hasReservations()) return;
    parents_are_heavy_ = shares_.hasReservations();
    for (size_t end = parent_.find('/');; end = parent_.find('/', end + 1)) {
        const std::string group = parent_.substr(0, end);
        const absl::Status written = cgroups_.setCpuWeight(group, parents_are_heavy_ ? kHeavy : kDefaultWeight);
        if (!written.ok()) logWarning("CPU weight of cgroup {}: {}", group, messageOf(written));
        if (end == std::string::npos) return;
    }
}

}  // namespace homeslice::isolation
