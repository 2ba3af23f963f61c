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
#include "ctl/client/leader_search.h"
#include "leader/controllers.h"

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
    // A controller that is asked, as the user knows it.
    struct Asked {
        std::string address;
        std::shared_ptr<grpc::Channel> channel;
        std::unique_ptr<v1::ControllerService::Stub> stub;
    };

    leader::Controllers controllers;
    const bool follows;  // to where a controller that does not lead sends it
    Cancellation& cancellation;

    Asked ask();
    // Until the one that leads is asked; UNAVAILABLE when there is none.
    absl::Status findLeader(const Endpoint& endpoint);
    // gRPC's status as ours: interrupted, the controller gone, or what the controller said.
    absl::Status toStatus(const Asked& asked, const grpc::Status& status) const;
    // After a call that failed: whether it should be made again, now that another controller is asked. Only what was
    // not done, or may be done twice, is.
    bool turn(const Asked& asked, const grpc::Status& status, const grpc::ClientContext& context, bool repeatable);

    // Whether the controller has asked for the same again, in a moment that has passed now.
    bool heldBack(const grpc::Status& status) const;

    static bool isGone(const grpc::Status& status, const grpc::ClientContext& context);
    // The end of a call; turns to the controller that was found to lead meanwhile, if it was cancelled because of that.
    grpc::Status orOvertaken(const Asked& asked, const grpc::Status& end, const std::optional<std::string>& leader);

    template <typename Request, typename Response>
    using Method = grpc::Status (v1::ControllerService::Stub::*)(grpc::ClientContext*, const Request&, Response*);

    template <typename Request, typename Response>
    absl::StatusOr<Response> call(Method<Request, Response> method, const Request& request) {
        constexpr std::chrono::seconds kAnswerWithin{30};
        const auto again_until = std::chrono::steady_clock::now() + kFailoverWithin;
        for (;;) {
            const Asked asked = ask();
            CallContext context(cancellation, kAnswerWithin);
            Response response;
            Lookout lookout(controllers, asked.address, *context.get());
            const grpc::Status end = (asked.stub.get()->*method)(context.get(), request, &response);
            const grpc::Status status = orOvertaken(asked, end, lookout.end());
            if (status.ok()) return response;
            const bool again = heldBack(status) || turn(asked, status, *context.get(), isRepeatable(request));
            if (!again || std::chrono::steady_clock::now() > again_until) return toStatus(asked, status);
        }
    }

    // A list from its first page to the last.
    template <typename Request, typename Response>
    absl::StatusOr<Response> callForAll(Method<Request, Response> method, Request request) {
        constexpr uint32_t kPage = 10'000;
        request.set_page_size(kPage);
        Response all;
        do {
            HS_ASSIGN_OR_RETURN(Response page, call(method, request));
            request.set_page_token(page.next_page_token());
            page.clear_next_page_token();
            all.MergeFrom(page);
        } while (!request.page_token().empty());
        return all;
    }

    // More than it takes another controller to lead.
    static constexpr std::chrono::seconds kFailoverWithin{10};
    // Questions, and what the controller knows again by its request id.
    static bool isRepeatable(const google::protobuf::Message& request);
};

}  // namespace homeslice::ctl
