// The API's messages <-> the spec's values. What comes in is checked in full: INVALID_ARGUMENT names the field and what
// is wrong with it. What goes out cannot fail. For the api/ folders only: protobuf goes no further.
#pragma once

#include <absl/status/statusor.h>

#include <string>

#include "homeslice/v1/node.pb.h"
#include "homeslice/v1/types.pb.h"
#include "spec/sliver_spec.h"
#include "spec/sliver_state.h"

namespace homeslice::wire {

absl::StatusOr<SliverId> sliverIdOf(const v1::SliverId& message);
v1::SliverId toMessage(const SliverId& id);

// `resources` with what is present in `change`. Checked as a whole.
absl::StatusOr<Resources> changed(Resources resources, const v1::Resources& change);
v1::Resources toMessage(const Resources& resources);

// Unspecified is by hash.
absl::StatusOr<Balance> balanceOf(v1::Balance balance);
v1::Balance toMessage(Balance balance);

absl::StatusOr<SliverTemplate> templateOf(const v1::SliverTemplate& message);
v1::SliverTemplate toMessage(const SliverTemplate& base);

absl::StatusOr<SliverSpec> specOf(const v1::DesiredSliver& message);
v1::DesiredSliver toMessage(const SliverSpec& spec);

// An unknown value is a later version's: pending.
SliverState stateOf(v1::SliverState state);
v1::SliverState toMessage(SliverState state);
Health healthOf(v1::Health health);
v1::Health toMessage(Health health);

// An address that packets can be sent to: 16 bytes, neither unspecified nor multicast. `what` names it in errors.
absl::StatusOr<Ipv6Address> unicastOf(const std::string& what, const std::string& raw);
// 1 to kMaxWeight.
absl::StatusOr<uint16_t> weightOf(uint32_t weight);
// 1 to 65535.
absl::StatusOr<uint16_t> portOf(const std::string& what, uint32_t port);

}  // namespace homeslice::wire
