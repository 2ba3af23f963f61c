// A way to the API of a node behind a NAT, through the controller (NodeLink.Dial): a gRPC target on this machine, whose
// connections come out at that node. Threads: any; two of its own for each connection.
#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <string>

#include "base/ipv6.h"
#include "leader/controllers.h"

namespace homeslice::api {

class DialledWay {
public:
    static absl::StatusOr<std::unique_ptr<DialledWay>> open(std::shared_ptr<leader::Controllers> controllers,
                                                            const Ipv6Address& care_of_address);
    // Ends its connections.
    virtual ~DialledWay() = default;
    virtual std::string target() const = 0;
};

}  // namespace homeslice::api
