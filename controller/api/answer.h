// The one way in which unary calls of ControllerService are answered: admitted, carried out, recorded. Internal to api.
#pragma once

#include <absl/status/statusor.h>
#include <grpcpp/grpcpp.h>

#include <string>

#include "base/status.h"
#include "controller/api/convert.h"
#include "controller/api/gate.h"
#include "controller/api/pager.h"
#include "leader/controllers.h"

namespace homeslice::controller {

inline grpc::ServerUnaryReactor* finish(grpc::CallbackServerContext* context, const absl::Status& status) {
    if (isLeadLost(status)) context->AddTrailingMetadata(leader::kLeadLostMetadata, "1");
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(toGrpc(status));
    return reactor;
}

template <typename Ask>
absl::Status admitted(const Gate& gate, const grpc::CallbackServerContext& context, const char* method,
                      const std::string& subject, const Ask& ask) {
    // Its deadline has passed on the way, or nobody waits for the answer any more.
    if (context.IsCancelled()) return cancelled("the caller waits no more");
    HS_ASSIGN_OR_RETURN(const Caller caller, gate.admit(context, method, subject));
    return ask(caller);
}

// A question about `subject`. `ask` is a function of the caller that fills the response and answers a status. What a
// controller knows that leads no more is not to be relied on, whatever it is.
template <typename Ask>
grpc::ServerUnaryReactor* answer(const Gate& gate, grpc::CallbackServerContext* context, const char* method,
                                 const std::string& subject, const Ask& ask) {
    const absl::Status status = admitted(gate, *context, method, subject, ask);
    const absl::Status lead = gate.checkLead();
    return finish(context, lead.ok() ? status : lead);
}

// The same for what changes something. What was done is done, whoever leads now.
template <typename Act>
grpc::ServerUnaryReactor* change(const Gate& gate, grpc::CallbackServerContext* context, const char* method,
                                 const std::string& subject, const Act& act) {
    const absl::Status status = admitted(gate, *context, method, subject, [&](const Caller& caller) {
        Change recorded(gate, caller, method, subject);
        const absl::Status done = act(caller);
        recorded.end(done);
        return done;
    });
    const absl::Status lead = gate.checkLead();
    return finish(context, status.ok() || lead.ok() ? status : lead);
}

// A list: `list` is a function of the caller and of the pager, which fills the response.
template <typename Request, typename List>
grpc::ServerUnaryReactor* answerPage(const Gate& gate, grpc::CallbackServerContext* context, const char* method,
                                     const Request& request, const std::string& filter, const List& list) {
    return answer(gate, context, method, filter, [&](const Caller& caller) -> absl::Status {
        HS_ASSIGN_OR_RETURN(const Pager pager, Pager::of(request, filter));
        return list(caller, pager);
    });
}

// Adds the view to a list.
template <typename Message>
auto adder(google::protobuf::RepeatedPtrField<Message>* list) {
    return [list](const auto& view) -> const Message& {
        toProto(view, *list->Add());
        return list->Get(list->size() - 1);
    };
}

// One value, or the error.
template <typename Value, typename Message>
absl::Status filled(const absl::StatusOr<Value>& value, Message* response) {
    if (value.ok()) toProto(*value, *response);
    return value.status();
}

}  // namespace homeslice::controller
