// Who calls, and whether it may.
#pragma once

#include <absl/status/statusor.h>
#include <grpcpp/grpcpp.h>

#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "controller/api/rate_limits.h"
#include "controller/core/audit.h"
#include "controller/core/controller.h"

namespace homeslice::controller {

class Gate {
public:
    // `rate`: requests a second that each user may make, and each address that strangers come from; 0: any number. Not
    // for the Unix socket, nor for nodes, which have one stream each. `leads`: whether this controller is the one that
    // leads, now.
    Gate(Controller& controller, uint32_t rate, std::function<bool()> leads)
        : controller_(controller), limits_(rate), leads_(std::move(leads)) {}

    // The user whose certificate the connection shows. On the Unix socket, which only root and sliced itself can reach,
    // the administrator "admin". RESOURCE_EXHAUSTED, RATE_LIMITED for who comes too often.
    absl::StatusOr<Caller> callerOf(const grpc::CallbackServerContext& context) const;
    // The name of the node that calls; PERMISSION_DENIED for others.
    absl::StatusOr<std::string> nodeOf(const grpc::CallbackServerContext& context) const;

    // Whether `caller` may call `method` of ControllerService about `subject`: a slice, "web" or "web/2", or a user,
    // where the right is one about such. Refused changes are put in the audit log.
    absl::Status check(const Caller& caller, const std::string& method, const std::string& subject) const;
    // Both in one.
    absl::StatusOr<Caller> admit(const grpc::CallbackServerContext& context, const std::string& method,
                                 const std::string& subject) const;

    // Of a newcomer, who has no certificate yet, nothing but the address is known.
    absl::Status admitStranger(const grpc::CallbackServerContext& context) const;

    // leadLost() from the moment at which another controller may lead.
    absl::Status checkLead() const;

    Controller& controller() const { return controller_; }

private:
    Controller& controller_;
    mutable RateLimits limits_;
    const std::function<bool()> leads_;
};

// One request that changes something: admitted or not, and in the audit log either way.
class Change {
public:
    Change(const Gate& gate, const Caller& caller, const std::string& method, const std::string& subject)
        : scope_(gate.controller(), {0, caller.name, method, subject, ""}) {}

    void end(const absl::Status& outcome) { scope_.end(outcome); }

private:
    AuditScope scope_;
};

}  // namespace homeslice::controller
