// BindingService's messages <-> the words of mobility/binding.h; checked as in convert.h.
#pragma once

#include <absl/status/statusor.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "homeslice/v1/binding.pb.h"
#include "noded/mobility/binding.h"
#include "noded/mobility/chosen_flow.h"
#include "noded/mobility/forwarder.h"

namespace homeslice::api {

absl::StatusOr<mobility::BindingUpdate> bindingUpdateOf(const v1::BindingUpdate& message);
v1::BindingUpdate toMessage(const mobility::BindingUpdate& update);

absl::StatusOr<mobility::BindingAcknowledgement> acknowledgementOf(const v1::BindingAcknowledgement& message);
v1::BindingAcknowledgement toMessage(const mobility::BindingAcknowledgement& acknowledgement);

// Life times go over as seconds that remain; `now` anchors them to the reader's clock.
absl::StatusOr<mobility::BindingEvent> bindingEventOf(const v1::BindingEvent& message, Monotonic::time_point now);
// What is known of a binding beside the binding itself.
struct BindingFacts {
    mobility::BindingCounters counters{};
    std::optional<std::chrono::microseconds> round_trip{};  // to its care-of address, where that was measured
};
v1::BindingEvent toMessage(const mobility::BindingEvent& event, const BindingFacts& facts, Monotonic::time_point now);

// A batch is of at most kMostFlows.
constexpr int kMostFlows = 1024;
v1::ChosenFlow toMessage(const mobility::ChosenFlow& flow);
absl::StatusOr<std::vector<mobility::ChosenFlow>> flowsOf(const v1::FlowBatch& message);

}  // namespace homeslice::api
