// The client's calls about quotas, reservations and loans.
#include "ctl/client/channel.h"

namespace homeslice::ctl {

using Stub = v1::ControllerService::Stub;

absl::StatusOr<v1::User> Client::getUser(const std::string& name) {
    v1::GetUserRequest request;
    request.set_name(name);
    return impl_->call(&Stub::GetUser, request);
}

absl::StatusOr<v1::User> Client::setUserQuota(const v1::SetUserQuotaRequest& request) {
    return impl_->call(&Stub::SetUserQuota, request);
}

absl::StatusOr<v1::Reservation> Client::createReservation(const v1::CreateReservationRequest& request) {
    return impl_->call(&Stub::CreateReservation, request);
}

absl::StatusOr<v1::ListReservationsResponse> Client::listReservations() {
    return impl_->callForAll(&Stub::ListReservations, v1::ListReservationsRequest());
}

absl::Status Client::removeReservation(const std::string& name) {
    v1::RemoveReservationRequest request;
    request.set_name(name);
    return impl_->call(&Stub::RemoveReservation, request).status();
}

absl::StatusOr<v1::Loan> Client::lendGuarantee(const v1::LendGuaranteeRequest& request) {
    return impl_->call(&Stub::LendGuarantee, request);
}

absl::StatusOr<v1::ListLoansResponse> Client::listLoans() {
    return impl_->callForAll(&Stub::ListLoans, v1::ListLoansRequest());
}

absl::Status Client::endLoan(const std::string& borrower, const std::string& lender) {
    v1::EndLoanRequest request;
    request.set_name(borrower);
    request.set_lender(lender);
    return impl_->call(&Stub::EndLoan, request).status();
}

}  // namespace homeslice::ctl
