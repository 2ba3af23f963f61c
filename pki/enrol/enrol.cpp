#include "pki/enrol/enrol.h"

#include <chrono>

#include "base/status.h"
#include "homeslice/v1/enrolment.grpc.pb.h"

namespace homeslice::enrol {
namespace {

constexpr std::chrono::seconds kAnswerWithin{30};

absl::Status statusOf(const grpc::Status& status) {
    return {static_cast<absl::StatusCode>(status.error_code()), status.error_message()};
}

// Key and request are made here; `ask` sends the request.
template <typename Ask>
absl::StatusOr<pki::Credentials> obtain(const Ask& ask) {
    HS_ASSIGN_OR_RETURN(const pki::KeyHandle key, pki::generateKey());
    HS_ASSIGN_OR_RETURN(const std::string request, pki::makeRequest(key));
    HS_ASSIGN_OR_RETURN(std::string key_pem, pki::toPem(key));
    v1::Enrolment enrolment;
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kAnswerWithin);
    HS_RETURN_IF_ERROR(statusOf(ask(context, request, enrolment)));
    HS_ASSIGN_OR_RETURN(const pki::Certificate certificate, pki::Certificate::parse(enrolment.certificate()));
    if (!certificate.isOf(key)) return dataLoss("the controller's certificate is for another key");
    return pki::Credentials{enrolment.authority(), std::move(key_pem), certificate.toPem()};
}

absl::Status checkAuthority(const pki::Credentials& credentials, const std::string& fingerprint) {
    HS_ASSIGN_OR_RETURN(const pki::Certificate authority, pki::Certificate::parse(credentials.authority_pem));
    HS_ASSIGN_OR_RETURN(const pki::Certificate certificate, pki::Certificate::parse(credentials.certificate_pem));
    if (authority.fingerprint() == fingerprint && certificate.isSignedBy(authority)) return absl::OkStatus();
    return dataLoss("the certificate is not of the token's authority");
}

}  // namespace

absl::StatusOr<pki::Credentials> join(const std::shared_ptr<grpc::Channel>& channel, const pki::Token& token) {
    const auto ask = [&](grpc::ClientContext& context, const std::string& csr, v1::Enrolment& enrolment) {
        v1::JoinRequest request;
        request.set_token(token.toString());
        request.set_certificate_request(csr);
        return v1::EnrolmentService::NewStub(channel)->Join(&context, request, &enrolment);
    };
    HS_ASSIGN_OR_RETURN(pki::Credentials credentials, obtain(ask));
    HS_RETURN_IF_ERROR(checkAuthority(credentials, token.fingerprint));
    return credentials;
}

absl::StatusOr<pki::Credentials> join(const std::string& target, const pki::Token& token) {
    auto credentials = join(tls::newcomerChannel(target, token), token);
    if (credentials.status().code() != absl::StatusCode::kUnavailable) return credentials;
    return unavailable("no controller at " + target + ", or not the one that gave the token");
}

absl::StatusOr<pki::Credentials> join(const std::vector<std::string>& targets, const pki::Token& token) {
    absl::StatusOr<pki::Credentials> credentials = invalidArgument("no controller is given");
    for (const std::string& target : targets) {
        credentials = join(target, token);
        if (credentials.status().code() != absl::StatusCode::kUnavailable) break;
    }
    return credentials;
}

absl::StatusOr<bool> isRenewalDue(const std::string& directory) {
    HS_ASSIGN_OR_RETURN(const pki::Credentials present, pki::readCredentials(directory));
    HS_ASSIGN_OR_RETURN(const pki::Certificate certificate, pki::Certificate::parse(present.certificate_pem));
    return Utc::now() >= certificate.renewAfter();
}

absl::Status renew(const std::shared_ptr<grpc::Channel>& channel, const std::string& directory) {
    HS_ASSIGN_OR_RETURN(const pki::Credentials present, pki::readCredentials(directory));
    HS_ASSIGN_OR_RETURN(const pki::Certificate authority, pki::Certificate::parse(present.authority_pem));
    const auto ask = [&](grpc::ClientContext& context, const std::string& csr, v1::Enrolment& enrolment) {
        v1::RenewRequest request;
        request.set_certificate_request(csr);
        return v1::EnrolmentService::NewStub(channel)->Renew(&context, request, &enrolment);
    };
    HS_ASSIGN_OR_RETURN(const pki::Credentials renewed, obtain(ask));
    HS_RETURN_IF_ERROR(checkAuthority(renewed, authority.fingerprint()));
    return pki::writeCredentials(directory, renewed);
}

}  // namespace homeslice::enrol
