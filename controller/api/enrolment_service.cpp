#include "controller/api/enrolment_service.h"

#include "base/log.h"
#include "base/status.h"
#include "controller/api/convert.h"
#include "pki/tls/credentials.h"

namespace homeslice::controller {
namespace {

grpc::ServerUnaryReactor* finish(grpc::CallbackServerContext* context, const absl::Status& status) {
    if (!status.ok()) logWarning("enrolment of {} is refused: {}", context->peer(), messageOf(status));
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(toGrpc(status));
    return reactor;
}

}  // namespace

grpc::ServerUnaryReactor* EnrolmentApi::Join(grpc::CallbackServerContext* context, const v1::JoinRequest* request,
                                             v1::Enrolment* response) {
    const absl::Status admitted = gate_.admitStranger(*context);
    return finish(context, admitted.ok() ? join(*request, *response) : admitted);
}

grpc::ServerUnaryReactor* EnrolmentApi::Renew(grpc::CallbackServerContext* context, const v1::RenewRequest* request,
                                              v1::Enrolment* response) {
    const absl::Status admitted = gate_.admitStranger(*context);
    return finish(context, admitted.ok() ? renew(*context, *request, *response) : admitted);
}

absl::Status EnrolmentApi::join(const v1::JoinRequest& request, v1::Enrolment& response) {
    HS_ASSIGN_OR_RETURN(const pki::Token token, pki::parseToken(request.token()));
    // Before the token is used up.
    HS_RETURN_IF_ERROR(pki::keyOfRequest(request.certificate_request()).status());
    // Who has no token could fill the audit log with attempts: only those that succeed are in it.
    const Change recorded(gate_, {token.name, UserRole::user}, "Join",
                          std::string(toString(token.kind)) + " " + token.name);
    const auto identity = gate_.controller().redeemToken(token);
    HS_RETURN_IF_ERROR(identity.status());
    return fill(request.certificate_request(), *identity, response);
}

absl::Status EnrolmentApi::renew(const grpc::CallbackServerContext& context, const v1::RenewRequest& request,
                                 v1::Enrolment& response) {
    HS_ASSIGN_OR_RETURN(const tls::Peer peer, tls::peerOf(*context.auth_context()));
    HS_RETURN_IF_ERROR(gate_.controller().checkIdentity(peer.identity));
    return fill(request.certificate_request(), peer.identity, response);
}

absl::Status EnrolmentApi::fill(const std::string& certificate_request, const pki::Identity& identity,
                                v1::Enrolment& response) {
    HS_ASSIGN_OR_RETURN(*response.mutable_certificate(), issuer_.issue(certificate_request, identity));
    response.set_authority(issuer_.authorityPem());
    logInfo("a certificate for {}", describe(identity));
    return absl::OkStatus();
}

}  // namespace homeslice::controller
