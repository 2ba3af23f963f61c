// ControllerService's methods about operations, and about moving slivers off loaded nodes.
#include <algorithm>

#include "base/status.h"
#include "controller/api/answer.h"
#include "controller/api/controller_service.h"

namespace homeslice::controller {
namespace {

constexpr uint32_t kShown = 100;

// What administrators alone see and end; nothing when it is about a slice.
std::optional<Right> rightTo(const Operation& operation) {
    if (!operation.subject.slice.empty()) return std::nullopt;
    return operation.kind == OperationKind::importImage ? Right::manage_images : Right::manage_nodes;
}

absl::Status checkMine(const Controller& controller, const Caller& caller, const Operation& operation) {
    if (const auto right = rightTo(operation)) return checkRight(caller, *right);
    const std::string& slice = operation.subject.slice;
    HS_RETURN_IF_ERROR(controller.checkSliceRight(caller, Right::use_slice, slice));
    // Whose a slice was that is gone nobody knows any more.
    return controller.slice(slice).ok() ? absl::OkStatus() : checkRight(caller, Right::manage_nodes);
}

// "web" matches what is about web/2 too.
bool isAbout(const Operation& operation, const std::string& subject) {
    return subject.empty() || subjectText(operation) == subject || operation.subject.slice == subject;
}

}  // namespace

using Unary = ControllerApi::Unary;

Unary* ControllerApi::ListOperations(Context* context, const v1::ListOperationsRequest* request,
                                     v1::ListOperationsResponse* response) {
    return answer(gate_, context, __func__, "", [&](const Caller& caller) {
        std::vector<Operation> seen;
        for (Operation& operation : controller_.operations()) {
            const bool wanted = isAbout(operation, request->subject()) && !(request->running() && operation.ended());
            if (wanted && checkMine(controller_, caller, operation).ok()) seen.push_back(std::move(operation));
        }
        const size_t most = request->newest() == 0 ? kShown : request->newest();
        const size_t first = seen.size() - std::min(seen.size(), most);
        for (size_t i = first; i < seen.size(); ++i) toProto(seen[i], *response->add_operations());
        return absl::OkStatus();
    });
}

Unary* ControllerApi::GetOperation(Context* context, const v1::GetOperationRequest* request, v1::Operation* response) {
    const std::string slice = controller_.sliceOfOperation(request->id());
    return answer(gate_, context, __func__, slice, [&](const Caller& caller) -> absl::Status {
        HS_ASSIGN_OR_RETURN(const Operation operation, controller_.operation(request->id()));
        HS_RETURN_IF_ERROR(checkMine(controller_, caller, operation));
        toProto(operation, *response);
        return absl::OkStatus();
    });
}

Unary* ControllerApi::CancelOperation(Context* context, const v1::CancelOperationRequest* request,
                                      v1::Operation* response) {
    const std::string slice = controller_.sliceOfOperation(request->id());
    return change(gate_, context, __func__, slice, [&](const Caller& caller) -> absl::Status {
        HS_ASSIGN_OR_RETURN(const Operation operation, controller_.operation(request->id()));
        HS_RETURN_IF_ERROR(checkMine(controller_, caller, operation));
        return filled(controller_.cancelOperation(request->id()), response);
    });
}

Unary* ControllerApi::RebalanceNodes(Context* context, const v1::RebalanceNodesRequest* request,
                                     v1::Operation* response) {
    return change(gate_, context, __func__, "",
                  [&](const Caller&) { return filled(controller_.rebalanceNodes(request->request_id()), response); });
}

Unary* ControllerApi::PlanRebalance(Context* context, const v1::RebalanceNodesRequest* /*request*/,
                                    v1::RebalancePlan* response) {
    return answer(gate_, context, __func__, "", [&](const Caller&) {
        for (const RebalanceStep& step : controller_.planRebalance()) {
            v1::RebalancePlan::Step& added = *response->add_steps();
            added.mutable_sliver()->set_slice(step.sliver.slice);
            added.mutable_sliver()->set_index(step.sliver.index);
            added.set_from_node(step.from);
            added.set_to_node(step.to);
            added.set_reason(step.reason);
        }
        return absl::OkStatus();
    });
}

}  // namespace homeslice::controller
