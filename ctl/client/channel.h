// What the client's calls share. Internal to ctl/client: includes gRPC.
#pragma once

#include <absl/status/statusor.h>
#include <grpcpp/grpcpp.h>
#include <homeslice/v1/controller.grpc.pb.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "base/status.h"
#include "ctl/client/cancellation.h"
#include "ctl/client/client.h"

namespace homeslice::ctl {

// One call's grpc::ClientContext, which the cancellation cancels.
class CallContext {
public:
    // No `timeout`: as long as it takes.
    CallContext(Cancellation& cancellation, std::optional<std::chrono::milliseconds> timeout);

    grpc::ClientContext* get() { return &context_; }

private:
    grpc::ClientContext context_;
    Cancellation::Registration registration_;
};

struct Client::Impl {
    std::string address;  // as the user knows it
    std::shared_ptr<grpc::Channel> channel;
    std::unique_ptr<v1::ControllerService::Stub> stub;
    Cancellation& cancellation;

    // gRPC's status as ours: interrupted, the controller gone, or what the controller said.
    absl::Status toStatus(const grpc::Status& status) const;

    template <typename Request, typename Response>
    using Method = grpc::Status (v1::ControllerService::Stub::*)(grpc::ClientContext*, const Request&, Response*);

    template <typename Request, typename Response>
    absl::StatusOr<Response> call(Method<Request, Response> method, const Request& request) {
        constexpr std::chrono::seconds kAnswerWithin{30};
        CallContext context(cancellation, kAnswerWithin);
        Response response;
        HS_RETURN_IF_ERROR(toStatus((stub.get()->*method)(context.get(), request, &response)));
        return response;
    }
};

}  // namespace homeslice::ctl
