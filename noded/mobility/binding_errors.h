// A node's answer to packets for a sliver that is not there (any more): a Binding Error (RFC 6275, 9.3.3) to the node
// that sent them by tunnel, which then leaves that path and sends by way of the home agent. So a correspondent or node
// that has not heard of a move, cut off from the home agents' watches, say, is put right by the first packet. The
// packet itself is sent on by the data plane.
//
// Not authenticated, as in RFC 6275: it is heard from those alone to whom packets for that home address go, and costs a
// detour at worst.
#pragma once

#include <absl/status/statusor.h>

#include <functional>
#include <memory>

#include "base/ipv6.h"
#include "noded/mobility/forwarder.h"

namespace homeslice::mobility {

class BindingErrors {
public:
    // `care_of_address` says that `home_address` is not with it. From a thread of BindingErrors.
    using Heard = std::function<void(const Ipv6Address& home_address, const Ipv6Address& care_of_address)>;

    // Sends from `self`, for what the forwarder tells; in the caller's network namespace. `forwarder` outlives it.
    static absl::StatusOr<std::unique_ptr<BindingErrors>> start(const Forwarder& forwarder, const Ipv6Address& self,
                                                                Heard heard);
    virtual ~BindingErrors() = default;
};

}  // namespace homeslice::mobility
