// The client's calls about operations and loaded nodes.
#include "base/names.h"
#include "ctl/client/channel.h"

namespace homeslice::ctl {

using Stub = v1::ControllerService::Stub;

absl::StatusOr<v1::ListOperationsResponse> Client::listOperations(const v1::ListOperationsRequest& request) {
    return impl_->callForAll(&Stub::ListOperations, request);
}

absl::StatusOr<v1::Operation> Client::getOperation(const std::string& id) {
    v1::GetOperationRequest request;
    request.set_id(id);
    return impl_->call(&Stub::GetOperation, request);
}

absl::StatusOr<v1::Operation> Client::cancelOperation(const std::string& id) {
    v1::CancelOperationRequest request;
    request.set_id(id);
    return impl_->call(&Stub::CancelOperation, request);
}

absl::StatusOr<v1::Operation> Client::rebalanceNodes() {
    v1::RebalanceNodesRequest request;
    request.set_request_id(randomId());
    return impl_->call(&Stub::RebalanceNodes, request);
}

absl::StatusOr<v1::RebalancePlan> Client::planRebalance() {
    return impl_->call(&Stub::PlanRebalance, v1::RebalanceNodesRequest());
}

}  // namespace homeslice::ctl
