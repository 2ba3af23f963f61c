// ControllerService's methods about operations, and about moving slivers off loaded nodes.
#include <algorithm>

#include "base/status.h"
#include "controller/api/answer.h"
#include "controller/api/controller_service.h"
#include "controller/api/timed_key.h"

namespace homeslice::controller {
namespace {

constexpr uint32_t kShown = 100;

// "web" matches what is about web/2 too.
bool isAbout(const Operation& operation, const std::string& subject) {
    return subject.empty() || subjectText(operation) == subject || operation.subject.slice == subject;
}

// The oldest first.
TimedKey keyOf(const Operation& operation) { return {operation.started_us, operation.id}; }

absl::Status cancel(Controller& controller, const Caller& caller, const std::string& id, v1::Operation& response) {
    HS_ASSIGN_OR_RETURN(const Operation operation, controller.operation(id));
    HS_RETURN_IF_ERROR(controller.checkOperationRight(caller, operation));
    return filled(controller.cancelOperation(id), &response);
}

// What an operation is about, for the audit log; its kind where that is all nodes.
std::string auditSubject(const absl::StatusOr<Operation>& operation, const std::string& id) {
    constexpr size_t kShownOfId = 128;
    if (!operation.ok()) return id.substr(0, kShownOfId);
    const std::string subject = subjectText(*operation);
    return subject.empty() ? toString(operation->kind) : subject;
}

}  // namespace

using Unary = ControllerApi::Unary;

Unary* ControllerApi::ListOperations(Context* context, const v1::ListOperationsRequest* request,
                                     v1::ListOperationsResponse* response) {
    return answerPage(
        gate_, context, __func__, *request, "", [&](const Caller& caller, const Pager& pager) -> absl::Status {
            std::vector<Operation> seen = controller_.operations();
            std::erase_if(seen, [&](const Operation& operation) {
                const bool wanted =
                    isAbout(operation, request->subject()) && !(request->running() && operation.ended());
                return !wanted || !controller_.checkOperationRight(caller, operation).ok();
            });
            std::sort(seen.begin(), seen.end(), [](const auto& a, const auto& b) { return keyOf(a) < keyOf(b); });
            const size_t newest = request->newest() == 0 ? kShown : request->newest();
            auto begin = seen.end() - static_cast<std::ptrdiff_t>(std::min(seen.size(), newest));
            if (!pager.isFirst()) {
                HS_ASSIGN_OR_RETURN(const TimedKey after, TimedKey::parse(pager.after()));
                begin = std::find_if(seen.begin(), seen.end(), [&](const auto& each) { return keyOf(each) > after; });
            }
            pager.fill(
                begin, seen.end(), [](const Operation& operation) { return keyOf(operation).text(); },
                adder(response->mutable_operations()), *response);
            return absl::OkStatus();
        });
}

Unary* ControllerApi::GetOperation(Context* context, const v1::GetOperationRequest* request, v1::Operation* response) {
    const std::string slice = controller_.sliceOfOperation(request->id());
    return answer(gate_, context, __func__, slice, [&](const Caller& caller) -> absl::Status {
        HS_ASSIGN_OR_RETURN(const Operation operation, controller_.operation(request->id()));
        HS_RETURN_IF_ERROR(controller_.checkOperationRight(caller, operation));
        toProto(operation, *response);
        return absl::OkStatus();
    });
}

Unary* ControllerApi::CancelOperation(Context* context, const v1::CancelOperationRequest* request,
                                      v1::Operation* response) {
    const std::string slice = controller_.sliceOfOperation(request->id());
    const char* const method = __func__;
    return answer(gate_, context, method, slice, [&](const Caller& caller) {
        Change recorded(gate_, caller, method, auditSubject(controller_.operation(request->id()), request->id()));
        const absl::Status status = cancel(controller_, caller, request->id(), *response);
        recorded.end(status);
        return status;
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
