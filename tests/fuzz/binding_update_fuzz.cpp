// Binding updates from the wire into the cache: messages, each behind its length. The rules of docs/design/mobility.md
// hold whatever they say.
#include <chrono>
#include <map>

#include "homeslice/v1/binding.pb.h"
#include "messages.h"
#include "noded/api/binding_convert.h"
#include "noded/mobility/binding_cache.h"
#include "target.h"

namespace {

using namespace homeslice;
using fuzz::require;
using mobility::BindingStatus;

constexpr mobility::BindingCache::Limits kLimits{.max_lifetime_s = 60, .max_bindings = 4};

void checkWire(const mobility::BindingUpdate& update) {
    const auto again = api::bindingUpdateOf(api::toMessage(update));
    require(again.ok() && again->key == update.key && again->care_of_address == update.care_of_address &&
                again->sequence == update.sequence && again->generation == update.generation &&
                again->lifetime_s == update.lifetime_s && again->terms == update.terms,
            "an update is the same after a way over the wire");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    fuzz::Input input(data, size);
    mobility::BindingCache cache(kLimits);
    std::map<mobility::BindingKey, uint64_t> generations;
    Monotonic::time_point now;
    while (const auto piece = input.piece()) {
        const auto message = fuzz::parsed<v1::BindingUpdate>(*piece);
        if (!message) continue;
        const auto update = api::bindingUpdateOf(*message);
        if (!update.ok()) continue;
        checkWire(*update);
        const auto outcome = cache.apply(*update, now, Utc::time_point());
        uint64_t& generation = generations[update->key];
        if (outcome.acknowledgement.status == BindingStatus::accepted) {
            require(update->generation >= generation, "no older generation is accepted");
            require(outcome.acknowledgement.lifetime_s <= kLimits.max_lifetime_s, "no longer life than may be");
            generation = update->generation;
        } else {
            require(!outcome.changed, "what is refused changes nothing");
        }
        require(cache.list().size() <= kLimits.max_bindings, "no more bindings than may be");
        now += std::chrono::milliseconds(500);
        cache.expire(now);
    }
    cache.expire(now + std::chrono::seconds(kLimits.max_lifetime_s));
    require(cache.list().empty(), "what is not refreshed ends");
    return 0;
}
