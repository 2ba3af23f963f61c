// The one way in which unary calls of ControllerService are answered: admitted, carried out, recorded. Internal to api.
#pragma once

#include <absl/status/statusor.h>
#include <grpcpp/grpcpp.h>

#include <string>

#include "controller/api/convert.h"
#include "controller/api/gate.h"
#include "leader/controllers.h"

namespace homeslice::controller {

inline grpc::ServerUnaryReactor* finish(grpc::CallbackServerContext* context, const absl::Status& status) {
    if (isLeadLost(status)) context->AddTrailingMetadata(leader::kLeadLostMetadata, "1");
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(toGrpc(status));
    return reactor;
}

// A question about `subject`. `ask` is a function of the caller that fills the response and answers a status.
template <typename Ask>
grpc::ServerUnaryReactor* answer(const Gate& gate, grpc::CallbackServerContext* context, const char* method,
                                 const std::string& subject, const Ask& ask) {
    const auto caller = gate.admit(*context, method, subject);
    return finish(context, caller.ok() ? ask(*caller) : caller.status());
}

// The same for what changes something.
template <typename Act>
grpc::ServerUnaryReactor* change(const Gate& gate, grpc::CallbackServerContext* context, const char* method,
                                 const std::string& subject, const Act& act) {
    return answer(gate, context, method, subject, [&](const Caller& caller) {
        Change recorded(gate, caller, method, subject);
        const absl::Status status = act(caller);
        recorded.end(status);
        return status;
    });
}

// One value, or the error.
template <typename Value, typename Message>
absl::Status filled(const absl::StatusOr<Value>& value, Message* response) {
    if (value.ok()) toProto(*value, *response);
    return value.status();
}

}  // namespace homeslice::controller
