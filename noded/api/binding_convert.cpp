#include "noded/api/binding_convert.h"

#include <algorithm>
#include <limits>

#include "base/status.h"
#include "noded/api/convert.h"

namespace homeslice::api {
namespace {

constexpr uint32_t kMaxLifetimeSeconds = 262140;  // 65535 units of 4 s, RFC 6275 6.1.7

absl::StatusOr<uint16_t> sixteenBitsOf(const std::string& what, uint32_t value) {
    if (value > std::numeric_limits<uint16_t>::max()) {
        return invalidArgument(what + ": " + std::to_string(value) + " is more than 16 bits");
    }
    return static_cast<uint16_t>(value);
}

absl::StatusOr<uint32_t> lifetimeOf(uint32_t seconds) {
    if (seconds > kMaxLifetimeSeconds)
        return invalidArgument("lifetime: " + std::to_string(seconds) + " s is too long");
    return seconds;
}

absl::StatusOr<mobility::BindingKey> keyOf(const std::string& home_address, uint32_t binding_id) {
    mobility::BindingKey key;
    HS_ASSIGN_OR_RETURN(key.home_address, unicastOf("home address", home_address));
    HS_ASSIGN_OR_RETURN(key.binding_id, sixteenBitsOf("binding id", binding_id));
    return key;
}

absl::StatusOr<mobility::BindingTerms> termsOf(const v1::BindingTerms& message) {
    constexpr uint32_t kLowestPriority = 127;  // the field of RFC 6089 has 7 bits
    mobility::BindingTerms terms{.draining = message.draining()};
    if (message.priority() > kLowestPriority)
        return invalidArgument("priority: " + std::to_string(message.priority()) + " is not from 1 to 127");
    if (message.weight() > kMaxWeight)
        return invalidArgument("weight: " + std::to_string(message.weight()) + " is not from 1 to 1000");
    if (message.priority() != 0) terms.priority = static_cast<uint8_t>(message.priority());
    if (message.weight() != 0) terms.weight = static_cast<uint16_t>(message.weight());
    HS_ASSIGN_OR_RETURN(terms.balance, wire::balanceOf(message.balance()));
    terms.load = message.load();
    return terms;
}

void fill(const mobility::BindingTerms& terms, v1::BindingTerms& message) {
    message.set_priority(terms.priority);
    message.set_weight(terms.weight);
    message.set_draining(terms.draining);
    message.set_balance(wire::toMessage(terms.balance));
    message.set_load(terms.load);
}

absl::StatusOr<mobility::BindingStatus> statusOf(v1::BindingStatus status) {
    switch (status) {
        case v1::BINDING_ACCEPTED:
            return mobility::BindingStatus::accepted;
        case v1::BINDING_REASON_UNSPECIFIED:
            return mobility::BindingStatus::reason_unspecified;
        case v1::BINDING_ADMINISTRATIVELY_PROHIBITED:
            return mobility::BindingStatus::administratively_prohibited;
        case v1::BINDING_INSUFFICIENT_RESOURCES:
            return mobility::BindingStatus::insufficient_resources;
        case v1::BINDING_NOT_HOME_SUBNET:
            return mobility::BindingStatus::not_home_subnet;
        case v1::BINDING_NOT_HOME_AGENT_FOR_THIS_MOBILE_NODE:
            return mobility::BindingStatus::not_home_agent_for_this_mobile_node;
        case v1::BINDING_DUPLICATE_ADDRESS_DETECTION_FAILED:
            return mobility::BindingStatus::duplicate_address_detection_failed;
        case v1::BINDING_SEQUENCE_OUT_OF_WINDOW:
            return mobility::BindingStatus::sequence_out_of_window;
        case v1::BINDING_GENERATION_STALE:
            return mobility::BindingStatus::generation_stale;
        default:
            return invalidArgument("binding status: unknown value " + std::to_string(status));
    }
}

absl::StatusOr<mobility::Binding> bindingOf(const v1::Binding& message, Monotonic::time_point now) {
    mobility::Binding binding;
    HS_ASSIGN_OR_RETURN(binding.key, keyOf(message.home_address(), message.binding_id()));
    HS_ASSIGN_OR_RETURN(binding.care_of_address, unicastOf("care-of address", message.care_of_address()));
    HS_ASSIGN_OR_RETURN(binding.terms, termsOf(message.terms()));
    HS_ASSIGN_OR_RETURN(binding.sequence, sixteenBitsOf("sequence", message.sequence()));
    binding.generation = message.generation();
    HS_ASSIGN_OR_RETURN(binding.lifetime_s, lifetimeOf(message.lifetime_s()));
    HS_ASSIGN_OR_RETURN(const uint32_t remaining, lifetimeOf(message.remaining_s()));
    binding.expires = now + std::chrono::seconds(remaining);
    binding.registered = fromUnixMicros(message.registered_us());
    return binding;
}

uint32_t remainingSeconds(Monotonic::time_point expires, Monotonic::time_point now) {
    // Rounded up: a binding that still lives has a second left.
    const auto left = std::chrono::ceil<std::chrono::seconds>(expires - now).count();
    return static_cast<uint32_t>(std::clamp<int64_t>(left, 0, kMaxLifetimeSeconds));
}

uint32_t microsecondsOf(std::chrono::microseconds round_trip) {
    return static_cast<uint32_t>(std::clamp<int64_t>(round_trip.count(), 0, std::numeric_limits<uint32_t>::max()));
}

void fill(const mobility::Binding& binding, const BindingFacts& facts, Monotonic::time_point now,
          v1::Binding& message) {
    message.set_home_address(binding.key.home_address.toBytes());
    message.set_binding_id(binding.key.binding_id);
    message.set_care_of_address(binding.care_of_address.toBytes());
    fill(binding.terms, *message.mutable_terms());
    message.set_sequence(binding.sequence);
    message.set_generation(binding.generation);
    message.set_lifetime_s(binding.lifetime_s);
    message.set_remaining_s(remainingSeconds(binding.expires, now));
    message.set_registered_us(toUnixMicros(binding.registered));
    message.set_forwarded_packets(facts.counters.packets);
    message.set_forwarded_bytes(facts.counters.bytes);
    if (facts.round_trip) message.set_round_trip_us(microsecondsOf(*facts.round_trip));
}

}  // namespace

absl::StatusOr<mobility::BindingUpdate> bindingUpdateOf(const v1::BindingUpdate& message) {
    mobility::BindingUpdate update;
    HS_ASSIGN_OR_RETURN(update.key, keyOf(message.home_address(), message.binding_id()));
    HS_ASSIGN_OR_RETURN(update.care_of_address, unicastOf("care-of address", message.care_of_address()));
    HS_ASSIGN_OR_RETURN(update.terms, termsOf(message.terms()));
    HS_ASSIGN_OR_RETURN(update.sequence, sixteenBitsOf("sequence", message.sequence()));
    update.generation = message.generation();
    HS_ASSIGN_OR_RETURN(update.lifetime_s, lifetimeOf(message.lifetime_s()));
    update.proof = message.grant();
    return update;
}

v1::BindingUpdate toMessage(const mobility::BindingUpdate& update) {
    v1::BindingUpdate message;
    message.set_home_address(update.key.home_address.toBytes());
    message.set_binding_id(update.key.binding_id);
    message.set_care_of_address(update.care_of_address.toBytes());
    fill(update.terms, *message.mutable_terms());
    message.set_sequence(update.sequence);
    message.set_generation(update.generation);
    message.set_lifetime_s(update.lifetime_s);
    message.set_grant(update.proof);
    return message;
}

absl::StatusOr<mobility::BindingAcknowledgement> acknowledgementOf(const v1::BindingAcknowledgement& message) {
    mobility::BindingAcknowledgement acknowledgement;
    HS_ASSIGN_OR_RETURN(acknowledgement.key, keyOf(message.home_address(), message.binding_id()));
    HS_ASSIGN_OR_RETURN(acknowledgement.sequence, sixteenBitsOf("sequence", message.sequence()));
    HS_ASSIGN_OR_RETURN(acknowledgement.status, statusOf(message.status()));
    HS_ASSIGN_OR_RETURN(acknowledgement.lifetime_s, lifetimeOf(message.lifetime_s()));
    HS_ASSIGN_OR_RETURN(acknowledgement.refresh_s, lifetimeOf(message.refresh_s()));
    acknowledgement.generation = message.generation();
    return acknowledgement;
}

v1::BindingAcknowledgement toMessage(const mobility::BindingAcknowledgement& acknowledgement) {
    v1::BindingAcknowledgement message;
    message.set_home_address(acknowledgement.key.home_address.toBytes());
    message.set_binding_id(acknowledgement.key.binding_id);
    message.set_sequence(acknowledgement.sequence);
    message.set_status(static_cast<v1::BindingStatus>(acknowledgement.status));
    message.set_lifetime_s(acknowledgement.lifetime_s);
    message.set_refresh_s(acknowledgement.refresh_s);
    message.set_generation(acknowledgement.generation);
    return message;
}

absl::StatusOr<mobility::BindingEvent> bindingEventOf(const v1::BindingEvent& message, Monotonic::time_point now) {
    mobility::BindingEvent event;
    switch (message.message_case()) {
        case v1::BindingEvent::kBound: {
            event.kind = mobility::BindingEvent::Kind::bound;
            HS_ASSIGN_OR_RETURN(event.binding, bindingOf(message.bound(), now));
            return event;
        }
        case v1::BindingEvent::kUnbound: {
            event.kind = mobility::BindingEvent::Kind::unbound;
            const v1::Binding& unbound = message.unbound();
            HS_ASSIGN_OR_RETURN(event.binding.key, keyOf(unbound.home_address(), unbound.binding_id()));
            return event;
        }
        case v1::BindingEvent::kSnapshotEnd:
            event.kind = mobility::BindingEvent::Kind::snapshot_end;
            return event;
        case v1::BindingEvent::kRole:
            event.kind = mobility::BindingEvent::Kind::role;
            event.role = {.in_charge = message.role().in_charge(), .term = message.role().term()};
            return event;
        default:
            return invalidArgument("binding event: empty");
    }
}

v1::BindingEvent toMessage(const mobility::BindingEvent& event, const BindingFacts& facts, Monotonic::time_point now) {
    v1::BindingEvent message;
    switch (event.kind) {
        case mobility::BindingEvent::Kind::bound:
            fill(event.binding, facts, now, *message.mutable_bound());
            break;
        case mobility::BindingEvent::Kind::unbound:
            message.mutable_unbound()->set_home_address(event.binding.key.home_address.toBytes());
            message.mutable_unbound()->set_binding_id(event.binding.key.binding_id);
            break;
        case mobility::BindingEvent::Kind::snapshot_end:
            message.set_snapshot_end(true);
            break;
        case mobility::BindingEvent::Kind::role:
            message.mutable_role()->set_in_charge(event.role.in_charge);
            message.mutable_role()->set_term(event.role.term);
            break;
    }
    return message;
}

v1::ChosenFlow toMessage(const mobility::ChosenFlow& flow) {
    v1::ChosenFlow message;
    message.set_source(flow.source.toBytes());
    message.set_destination(flow.destination.toBytes());
    message.set_source_port(flow.source_port);
    message.set_destination_port(flow.destination_port);
    message.set_protocol(flow.protocol);
    message.set_binding_id(flow.binding_id);
    return message;
}

absl::StatusOr<std::vector<mobility::ChosenFlow>> flowsOf(const v1::FlowBatch& message) {
    if (message.flows_size() > kMostFlows) return invalidArgument("flows: more than " + std::to_string(kMostFlows));
    std::vector<mobility::ChosenFlow> flows;
    flows.reserve(static_cast<size_t>(message.flows_size()));
    for (const v1::ChosenFlow& flow : message.flows()) {
        mobility::ChosenFlow& added = flows.emplace_back();
        HS_ASSIGN_OR_RETURN_CTX(added.source, Ipv6Address::fromBytes(flow.source()), "source");
        HS_ASSIGN_OR_RETURN(added.destination, unicastOf("destination", flow.destination()));
        HS_ASSIGN_OR_RETURN(added.source_port, sixteenBitsOf("source port", flow.source_port()));
        HS_ASSIGN_OR_RETURN(added.destination_port, sixteenBitsOf("destination port", flow.destination_port()));
        HS_ASSIGN_OR_RETURN(added.binding_id, sixteenBitsOf("binding id", flow.binding_id()));
        if (flow.protocol() > std::numeric_limits<uint8_t>::max())
            return invalidArgument("protocol: " + std::to_string(flow.protocol()) + " is more than 8 bits");
        added.protocol = static_cast<uint8_t>(flow.protocol());
    }
    return flows;
}

}  // namespace homeslice::api
