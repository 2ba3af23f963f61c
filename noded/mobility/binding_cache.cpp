#include "noded/mobility/binding_cache.h"

#include <algorithm>

namespace homeslice::mobility {
namespace {

BindingAcknowledgement acknowledge(const BindingUpdate& update, BindingStatus status) {
    return {.key = update.key,
            .sequence = update.sequence,
            .status = status,
            .lifetime_s = 0,
            .refresh_s = 0,
            .generation = update.generation};
}

// What forbids `update` while the cache holds `last`. A higher generation is a new life of the address: its sender has
// a sequence of its own.
std::optional<BindingAcknowledgement> refuse(const BindingUpdate& update, const Binding& last) {
    if (update.generation > last.generation) return std::nullopt;
    if (update.generation < last.generation) {
        auto refusal = acknowledge(update, BindingStatus::generation_stale);
        refusal.generation = last.generation;
        return refusal;
    }
    if (sequenceIsNewer(update.sequence, last.sequence)) return std::nullopt;
    auto refusal = acknowledge(update, BindingStatus::sequence_out_of_window);
    refusal.sequence = last.sequence;
    return refusal;
}

}  // namespace

BindingCache::Outcome BindingCache::apply(const BindingUpdate& update, Monotonic::time_point now,
                                          Utc::time_point utc_now) {
    auto found = entries_.find(update.key);
    const bool known = found != entries_.end();
    if (known)
        if (const auto refusal = refuse(update, found->second.binding))
            return {.acknowledgement = *refusal, .binding = {}};
    if (!known && entries_.size() >= limits_.max_bindings)
        return {.acknowledgement = acknowledge(update, BindingStatus::insufficient_resources), .binding = {}};

    const uint32_t granted = std::min(update.lifetime_s, limits_.max_lifetime_s);
    const Binding before = known ? found->second.binding : Binding{};
    Entry& entry = known ? found->second : entries_[update.key];
    const bool stays_there = before.lifetime_s != 0 && granted != 0 && before.care_of_address == update.care_of_address;
    entry.binding = {.key = update.key,
                     .care_of_address = update.care_of_address,
                     .terms = update.terms,
                     .sequence = update.sequence,
                     .generation = update.generation,
                     .lifetime_s = granted,
                     .expires = now + (granted == 0 ? limits_.memory : std::chrono::seconds(granted)),
                     .registered = stays_there ? before.registered : utc_now};
    // An earlier end than the one waited for needs a deadline of its own.
    if (!known || entry.binding.expires < entry.deadline) schedule(entry);

    auto accepted = acknowledge(update, BindingStatus::accepted);
    accepted.lifetime_s = granted;
    accepted.refresh_s = granted == 0 ? 0 : std::max(granted / 2, 1U);
    const bool stays = stays_there && before.terms == update.terms;
    const bool changed = !stays && (before.lifetime_s != 0 || granted != 0);
    return {.acknowledgement = accepted,
            .changed = changed || before.generation != update.generation,
            .binding = entry.binding};
}

void BindingCache::schedule(Entry& entry) {
    entry.deadline = entry.binding.expires;
    deadlines_.push({entry.deadline, entry.binding.key});
}

void BindingCache::restore(const Binding& binding, Monotonic::time_point now) {
    Entry& entry = entries_[binding.key];
    entry.binding = binding;
    entry.binding.expires =
        now + (binding.lifetime_s == 0 ? limits_.memory : std::chrono::seconds(limits_.max_lifetime_s));
    schedule(entry);
}

BindingCache::Expired BindingCache::expire(Monotonic::time_point now) {
    Expired result;
    while (!deadlines_.empty() && deadlines_.top().time <= now) {
        const Deadline due = deadlines_.top();
        deadlines_.pop();
        const auto found = entries_.find(due.key);
        if (found == entries_.end() || found->second.deadline != due.time) continue;
        Entry& entry = found->second;
        if (entry.binding.expires > now) {
            schedule(entry);
        } else if (entry.binding.lifetime_s == 0) {
            result.forgotten.push_back(due.key);
            entries_.erase(found);
        } else {
            entry.binding.lifetime_s = 0;
            entry.binding.expires = now + limits_.memory;
            schedule(entry);
            result.ended.push_back(entry.binding);
        }
    }
    return result;
}

std::optional<Monotonic::time_point> BindingCache::nextExpiry() const {
    if (deadlines_.empty()) return std::nullopt;
    return deadlines_.top().time;
}

CareOfSet BindingCache::careOf(const Ipv6Address& home_address) const {
    std::vector<Binding> bound;
    for (auto entry = entries_.lower_bound({.home_address = home_address, .binding_id = 0});
         entry != entries_.end() && entry->first.home_address == home_address; ++entry)
        if (entry->second.binding.lifetime_s != 0) bound.push_back(entry->second.binding);
    return careOfAddresses(bound);
}

std::vector<Binding> BindingCache::list() const {
    std::vector<Binding> result;
    for (const auto& [key, entry] : entries_)
        if (entry.binding.lifetime_s != 0) result.push_back(entry.binding);
    return result;
}

}  // namespace homeslice::mobility
