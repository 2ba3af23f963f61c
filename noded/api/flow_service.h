// FlowService: whose flows they were. Internal to api/server.
#pragma once

#include <grpcpp/grpcpp.h>

#include "homeslice/v1/flows.grpc.pb.h"
#include "noded/api/workers.h"
#include "noded/audit/flow_recorder.h"

namespace homeslice::api {

// INVALID_ARGUMENT names what is malformed.
absl::StatusOr<audit::FlowQuestion> flowQuestionOf(const v1::FindFlowsRequest& message);
v1::Flow toMessage(const audit::Flow& flow);

class FlowService final : public v1::FlowService::CallbackService {
public:
    // Both outlive the gRPC server that serves this.
    FlowService(audit::FlowRecorder& recorder, Workers& workers) : recorder_(recorder), workers_(workers) {}

    grpc::ServerUnaryReactor* FindFlows(grpc::CallbackServerContext* context, const v1::FindFlowsRequest* request,
                                        v1::FindFlowsResponse* response) override;

private:
    absl::Status find(const v1::FindFlowsRequest& request, v1::FindFlowsResponse& response);

    audit::FlowRecorder& recorder_;
    Workers& workers_;
};

}  // namespace homeslice::api
