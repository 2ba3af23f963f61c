#include "noded/sliver/slice_shares.h"

#include <algorithm>
#include <sstream>
#include <utility>

#include "base/file.h"

namespace homeslice::sliver {
namespace {

constexpr std::chrono::seconds kReportInterval{1};

mobility::BindingKey keyOf(const SliverSpec& spec) {
    return {.home_address = spec.slice_address, .binding_id = static_cast<uint16_t>(spec.id.index)};
}

}  // namespace

// Of the two lines that begin with "Tcp:" the first has the names and the second the values.
uint32_t openConnections(pid_t process) {
    const auto text = readFile("/proc/" + std::to_string(process) + "/net/snmp");
    if (!text.ok()) return 0;
    std::istringstream lines(*text);
    std::string names;
    std::string values;
    for (std::string line; std::getline(lines, line) && values.empty();)
        if (line.starts_with("Tcp:")) (names.empty() ? names : values) = line;
    std::istringstream name(names);
    std::istringstream value(values);
    for (std::string word, number; name >> word && value >> number;)
        if (word == "CurrEstab") return static_cast<uint32_t>(std::strtoul(number.c_str(), nullptr, 10));
    return 0;
}

SliceShares::SliceShares(Dependencies dependencies)
    : dependencies_(std::move(dependencies)), watcher_([this] { watch(); }) {}

SliceShares::~SliceShares() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;  // what is registered stays so: the slivers live on
    }
    wake_.notify_all();
    watcher_.join();
}

void SliceShares::take(const SliverSpec& spec, pid_t process) {
    {
        const std::lock_guard lock(mutex_);
        Share& share = shares_[spec.id];
        share.spec = spec;
        share.process = process;
        tell(share);
    }
    wake_.notify_all();
}

void SliceShares::leave(const SliverSpec& spec) {
    const std::lock_guard lock(mutex_);
    shares_.erase(spec.id);
    dependencies_.gateway.unbind(keyOf(spec));
}

void SliceShares::look() {
    {
        const std::lock_guard lock(mutex_);
        looks_ = true;
    }
    wake_.notify_all();
}

bool SliceShares::hasReports() const {
    return std::any_of(shares_.begin(), shares_.end(),
                       [](const auto& item) { return item.second.spec.base.balance == Balance::least_load; });
}

void SliceShares::watch() {
    std::unique_lock lock(mutex_);
    const auto due = [this] { return stopping_ || looks_; };
    while (!stopping_) {
        if (hasReports())
            wake_.wait_for(lock, kReportInterval, due);
        else
            wake_.wait(lock, [&] { return due() || hasReports(); });
        looks_ = false;
        if (stopping_) return;
        for (auto& [id, share] : shares_) tell(share);
    }
}

void SliceShares::tell(Share& share) {
    const SliverSpec& spec = share.spec;
    const bool serves = dependencies_.health(spec.id) != Health::unhealthy;
    if (share.serves != serves) dependencies_.serve(spec, serves);
    share.serves = serves;
    if (!serves) {
        if (share.told) dependencies_.gateway.unbind(keyOf(spec));
        share.told.reset();
        return;
    }
    mobility::BindingTerms terms{.weight = spec.weight, .draining = spec.draining, .balance = spec.base.balance};
    if (terms.balance == Balance::least_load) terms.load = dependencies_.connections(share.process);
    if (share.told == terms && share.generation == spec.generation) return;
    dependencies_.gateway.bind(keyOf(spec), {spec.generation, spec.slice_address_grant}, terms);
    share.told = terms;
    share.generation = spec.generation;
}

}  // namespace homeslice::sliver
