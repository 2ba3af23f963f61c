// The two maps of where NATs show nodes, kept in step. Threads: one caller at a time.
#pragma once

#include <absl/status/status.h>

#include <map>
#include <optional>

#include "noded/mobility/forwarder.h"
#include "noded/mobility/programs.h"

namespace homeslice::mobility {

absl::Status putNatBinding(const Programs& programs, const Ipv6Address& care_of_address,
                           const std::optional<UdpEndpoint>& seen);
std::map<Ipv6Address, UdpEndpoint> readNatBindings(const Programs& programs);

}  // namespace homeslice::mobility
