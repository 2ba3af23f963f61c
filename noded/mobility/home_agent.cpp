#include "noded/mobility/home_agent.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "noded/mobility/binding_cache.h"

namespace homeslice::mobility {
namespace {

BindingAcknowledgement refuse(const BindingUpdate& update, BindingStatus status) {
    return {.key = update.key,
            .sequence = update.sequence,
            .status = status,
            .lifetime_s = 0,
            .refresh_s = 0,
            .generation = update.generation};
}

void warnUnlessOk(const absl::Status& status, const std::string& what) {
    if (!status.ok()) logWarning("home agent: {}: {}", what, messageOf(status));
}

BindingEvent eventOf(const Binding& binding) {
    return {.kind = binding.lifetime_s == 0 ? BindingEvent::Kind::unbound : BindingEvent::Kind::bound,
            .binding = binding};
}

BindingEvent eventOf(const HomeAgentRole& role) {
    return {.kind = BindingEvent::Kind::role, .binding = {}, .role = role};
}

class CachingHomeAgent final : public HomeAgent {
public:
    CachingHomeAgent(const Config& config, Forwarder& forwarder, HomeNeighbours* neighbours)
        : cache_({.max_lifetime_s = config.max_lifetime_s, .max_bindings = config.max_bindings}),
          forwarder_(forwarder),
          neighbours_(neighbours),
          settle_at_(Monotonic::now() + std::chrono::seconds(config.max_lifetime_s)) {
        recover();
        readFlows();
        expirer_ = std::thread([this] { expireUntilStopped(); });
    }
    ~CachingHomeAgent() override {
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
        }
        wake_.notify_all();
        expirer_.join();
    }

    void setHomePrefix(const Ipv6Prefix& prefix) override {
        const std::lock_guard lock(mutex_);
        prefix_ = prefix;
    }
    void setRole(const HomeAgentRole& role) override {
        const std::lock_guard lock(mutex_);
        if (role_ == role) return;
        role_ = role;
        if (neighbours_ != nullptr) neighbours_->setInCharge(role.in_charge);
        tell(eventOf(role));
    }
    bool postpones(const Ipv6Address& sender, const BindingUpdate& update) override;
    BindingAcknowledgement update(const Ipv6Address& sender, const BindingUpdate& update) override;
    std::vector<CachedBinding> list() override;
    uint64_t watch(Watcher watcher) override;
    void unwatch(uint64_t id) override {
        const std::lock_guard lock(mutex_);
        watchers_.erase(id);
    }
    FlowNews& flowNews() override { return flow_news_; }

private:
    void recover();
    void readFlows();
    HomeNeighbours::Uniqueness uniquenessFor(const BindingUpdate& update);
    std::optional<BindingStatus> forbid(const Ipv6Address& sender, const BindingUpdate& update) const;
    absl::Status forward(const Binding& binding);
    void tell(const BindingEvent& event) const;
    void expireUntilStopped();
    Monotonic::time_point nextWake() const;
    void expireDue();
    void settleUnconfirmed();

    std::mutex mutex_;  // guards all below
    std::condition_variable wake_;
    BindingCache cache_;
    Forwarder& forwarder_;
    HomeNeighbours* const neighbours_;  // null: the home prefix is not on-link
    std::optional<Ipv6Prefix> prefix_;
    std::optional<HomeAgentRole> role_;
    std::map<uint64_t, Watcher> watchers_;
    uint64_t next_watcher_ = 1;
    std::set<Ipv6Address> unconfirmed_;  // forwarded since an earlier life, but in no saved binding
    const Monotonic::time_point settle_at_;
    bool stopping_ = false;
    FlowNews flow_news_;
    std::unique_ptr<FlowReader> flow_reader_;  // null when the data plane makes no choices
    std::thread expirer_;
};

void CachingHomeAgent::recover() {
    const auto saved = forwarder_.savedBindings();
    warnUnlessOk(saved.status(), "read the saved bindings");
    if (saved.ok())
        for (const Binding& binding : *saved) {
            cache_.restore(binding, Monotonic::now());
            if (neighbours_ != nullptr && binding.lifetime_s != 0)
                neighbours_->setBound(binding.key.home_address, true);
        }
    const auto bound = forwarder_.boundAddresses();
    warnUnlessOk(bound.status(), "read the forwarded addresses");
    if (!bound.ok()) return;
    for (const Ipv6Address& address : *bound)
        if (cache_.careOf(address).members.empty()) unconfirmed_.insert(address);
}

// Without it the others choose for themselves.
void CachingHomeAgent::readFlows() {
    if (forwarder_.chosenFlows() < 0) return;
    auto reader = FlowReader::start(forwarder_, flow_news_);
    warnUnlessOk(reader.status(), "read the choices of the data plane");
    if (reader.ok()) flow_reader_ = *std::move(reader);
}

std::optional<BindingStatus> CachingHomeAgent::forbid(const Ipv6Address& sender, const BindingUpdate& update) const {
    if (update.care_of_address != sender) return BindingStatus::administratively_prohibited;
    if (!prefix_ || !prefix_->contains(update.key.home_address)) return BindingStatus::not_home_subnet;
    return std::nullopt;
}

// Before the first binding of an address only; one that is bound is defended (RFC 6275 10.3.1). With the lock held.
HomeNeighbours::Uniqueness CachingHomeAgent::uniquenessFor(const BindingUpdate& update) {
    const bool is_first = update.lifetime_s != 0 && cache_.careOf(update.key.home_address).members.empty();
    if (neighbours_ == nullptr || !is_first) return HomeNeighbours::Uniqueness::unique;
    return neighbours_->uniquenessOf(update.key.home_address);
}

bool CachingHomeAgent::postpones(const Ipv6Address& sender, const BindingUpdate& update) {
    const std::lock_guard lock(mutex_);
    return !forbid(sender, update) && uniquenessFor(update) == HomeNeighbours::Uniqueness::unknown;
}

BindingAcknowledgement CachingHomeAgent::update(const Ipv6Address& sender, const BindingUpdate& update) {
    const std::lock_guard lock(mutex_);
    if (const auto status = forbid(sender, update)) return refuse(update, *status);
    if (uniquenessFor(update) == HomeNeighbours::Uniqueness::duplicate)
        return refuse(update, BindingStatus::duplicate_address_detection_failed);
    const auto awaited = nextWake();
    const auto outcome = cache_.apply(update, Monotonic::now(), Utc::now());
    if (nextWake() < awaited) wake_.notify_all();
    if (!outcome.changed) return outcome.acknowledgement;
    if (const absl::Status forwarded = forward(outcome.binding); !forwarded.ok()) {
        warnUnlessOk(forwarded, "bind " + update.key.home_address.toString());
        cache_.erase(update.key);
        return refuse(update, BindingStatus::insufficient_resources);
    }
    tell(eventOf(outcome.binding));
    return outcome.acknowledgement;
}

// Into the data plane, and into the memory that outlives this process.
absl::Status CachingHomeAgent::forward(const Binding& binding) {
    const Ipv6Address& home = binding.key.home_address;
    unconfirmed_.erase(home);
    const CareOfSet care_of = cache_.careOf(home);
    HS_RETURN_IF_ERROR(forwarder_.saveBinding(binding));
    HS_RETURN_IF_ERROR(forwarder_.setCareOf(home, care_of));
    if (neighbours_ != nullptr) neighbours_->setBound(home, !care_of.members.empty());
    return absl::OkStatus();
}

void CachingHomeAgent::tell(const BindingEvent& event) const {
    for (const auto& [id, watcher] : watchers_) watcher(event);
}

std::vector<HomeAgent::CachedBinding> CachingHomeAgent::list() {
    const std::lock_guard lock(mutex_);
    std::vector<CachedBinding> result;
    for (const Binding& binding : cache_.list()) {
        const auto counters = forwarder_.countersOf(binding.key);
        result.push_back({.binding = binding,
                          .counters = counters.value_or(BindingCounters{}),
                          .round_trip = forwarder_.roundTripTo(binding.care_of_address)});
    }
    return result;
}

uint64_t CachingHomeAgent::watch(Watcher watcher) {
    const std::lock_guard lock(mutex_);
    if (role_) watcher(eventOf(*role_));
    for (const Binding& binding : cache_.list()) watcher(eventOf(binding));
    watcher({.kind = BindingEvent::Kind::snapshot_end, .binding = {}});
    watchers_.emplace(next_watcher_, std::move(watcher));
    return next_watcher_++;
}

Monotonic::time_point CachingHomeAgent::nextWake() const {
    auto next = cache_.nextExpiry().value_or(Monotonic::now() + std::chrono::hours(1));
    return unconfirmed_.empty() ? next : std::min(next, settle_at_);
}

void CachingHomeAgent::expireUntilStopped() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        expireDue();
        settleUnconfirmed();
        wake_.wait_until(lock, nextWake());
    }
}

void CachingHomeAgent::expireDue() {
    const auto expired = cache_.expire(Monotonic::now());
    for (const Binding& binding : expired.ended) {
        const std::string name = binding.key.home_address.toString();
        logInfo("home agent: the binding of {} (id {}) to {} expired", name, binding.key.binding_id,
                binding.care_of_address.toString());
        warnUnlessOk(forward(binding), "unbind " + name);
        tell(eventOf(binding));
    }
    for (const BindingKey& key : expired.forgotten)
        warnUnlessOk(forwarder_.forgetBinding(key), "forget " + key.home_address.toString());
}

void CachingHomeAgent::settleUnconfirmed() {
    if (unconfirmed_.empty() || Monotonic::now() < settle_at_) return;
    for (const Ipv6Address& address : unconfirmed_)
        warnUnlessOk(forwarder_.setCareOf(address, {}), "unbind " + address.toString());
    unconfirmed_.clear();
}

}  // namespace

std::unique_ptr<HomeAgent> HomeAgent::create(const Config& config, Forwarder& forwarder, HomeNeighbours* neighbours) {
    return std::make_unique<CachingHomeAgent>(config, forwarder, neighbours);
}

}  // namespace homeslice::mobility
