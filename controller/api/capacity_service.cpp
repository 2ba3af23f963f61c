// ControllerService's methods about reservations, loans and quotas.
#include "base/status.h"
#include "controller/api/answer.h"
#include "controller/api/controller_service.h"

namespace homeslice::controller {
namespace {

void toProto(const ReservationView& view, v1::Reservation& out) {
    out.set_name(view.reservation.name);
    out.set_owner(view.reservation.owner);
    out.mutable_nodes()->Assign(view.reservation.nodes.begin(), view.reservation.nodes.end());
    out.set_cpu_millis(view.reservation.cpu_millis);
    out.set_start_us(view.reservation.start_us);
    out.set_end_us(view.reservation.end_us);
    out.mutable_slices()->Assign(view.slices.begin(), view.slices.end());
}

void toProto(const LoanView& view, v1::Loan& out) {
    out.set_lender(view.loan.lender);
    out.set_borrower(view.loan.borrower);
    out.set_cpu_millis(view.loan.cpu_millis);
    out.set_end_us(view.loan.end_us);
    out.mutable_uncovered_nodes()->Assign(view.uncovered_nodes.begin(), view.uncovered_nodes.end());
}

absl::StatusOr<ReservationRequest> fromCreate(const v1::CreateReservationRequest& request, const std::string& caller) {
    ReservationRequest result;
    result.wanted.name = request.name();
    result.wanted.owner = request.owner().empty() ? caller : request.owner();
    result.wanted.cpu_millis = request.cpu_millis();
    result.wanted.start_us = request.start_us();
    result.duration_s = request.duration_s();
    result.node_count = request.node_count();
    result.nodes.assign(request.nodes().begin(), request.nodes().end());
    for (const std::string& text : request.where()) {
        HS_ASSIGN_OR_RETURN(LabelTerm term, parseLabelTerm(text));
        result.where.push_back(std::move(term));
    }
    return result;
}

QuotaChange fromSetQuota(const v1::SetUserQuotaRequest& request) {
    const v1::Quota& quota = request.quota();
    QuotaChange change;
    if (quota.has_slivers()) change.limits.slivers = quota.slivers();
    if (quota.has_cpu_millis()) change.limits.cpu_millis = quota.cpu_millis();
    if (quota.has_memory_bytes()) change.limits.memory_bytes = quota.memory_bytes();
    if (quota.has_disk_bytes()) change.limits.disk_bytes = quota.disk_bytes();
    change.unlimited.assign(request.unlimited().begin(), request.unlimited().end());
    return change;
}

}  // namespace

using Unary = ControllerApi::Unary;

Unary* ControllerApi::CreateReservation(Context* context, const v1::CreateReservationRequest* request,
                                        v1::Reservation* response) {
    return change(gate_, context, __func__, request->name(), [&](const Caller& caller) -> absl::Status {
        HS_ASSIGN_OR_RETURN(const ReservationRequest asked, fromCreate(*request, caller.name));
        HS_ASSIGN_OR_RETURN(const ReservationView view, controller_.createReservation(asked));
        toProto(view, *response);
        return absl::OkStatus();
    });
}

Unary* ControllerApi::ListReservations(Context* context, const v1::ListReservationsRequest* request,
                                       v1::ListReservationsResponse* response) {
    return answerPage(gate_, context, __func__, *request, "", [&](const Caller&, const Pager& pager) {
        const auto add = [&](const ReservationView& view) -> const v1::Reservation& {
            toProto(view, *response->add_reservations());
            return *response->mutable_reservations()->rbegin();
        };
        pager.fillSorted(
            controller_.reservations(), [](const ReservationView& view) { return view.reservation.name; }, add,
            *response);
        return absl::OkStatus();
    });
}

Unary* ControllerApi::RemoveReservation(Context* context, const v1::RemoveReservationRequest* request,
                                        v1::RemoveReservationResponse* /*response*/) {
    return change(gate_, context, __func__, request->name(),
                  [&](const Caller&) { return controller_.removeReservation(request->name()); });
}

Unary* ControllerApi::LendGuarantee(Context* context, const v1::LendGuaranteeRequest* request, v1::Loan* response) {
    return change(gate_, context, __func__, request->name(), [&](const Caller&) -> absl::Status {
        HS_ASSIGN_OR_RETURN(const LoanView view, controller_.lend(request->name(), request->borrower(),
                                                                  request->cpu_millis(), request->duration_s()));
        toProto(view, *response);
        return absl::OkStatus();
    });
}

Unary* ControllerApi::ListLoans(Context* context, const v1::ListLoansRequest* request,
                                v1::ListLoansResponse* response) {
    return answerPage(gate_, context, __func__, *request, "", [&](const Caller& caller, const Pager& pager) {
        std::vector<LoanView> views = controller_.loans();
        std::erase_if(views, [&](const LoanView& view) {
            return !controller_.checkSliceRight(caller, Right::use_slice, view.loan.lender).ok() &&
                   !controller_.checkSliceRight(caller, Right::use_slice, view.loan.borrower).ok();
        });
        const auto add = [&](const LoanView& view) -> const v1::Loan& {
            toProto(view, *response->add_loans());
            return *response->mutable_loans()->rbegin();
        };
        pager.fillSorted(
            views, [](const LoanView& view) { return view.loan.key(); }, add, *response);
        return absl::OkStatus();
    });
}

Unary* ControllerApi::EndLoan(Context* context, const v1::EndLoanRequest* request, v1::EndLoanResponse* /*response*/) {
    return change(gate_, context, __func__, request->name(),
                  [&](const Caller&) { return controller_.endLoan(request->lender(), request->name()); });
}

Unary* ControllerApi::SetUserQuota(Context* context, const v1::SetUserQuotaRequest* request, v1::User* response) {
    return change(gate_, context, __func__, request->name(), [&](const Caller&) {
        return filled(controller_.setQuota(request->name(), fromSetQuota(*request)), response);
    });
}

}  // namespace homeslice::controller
