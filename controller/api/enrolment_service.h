// EnrolmentService: certificates for tokens, and for certificates that end.
#pragma once

#include <grpcpp/grpcpp.h>

#include "controller/api/gate.h"
#include "controller/auth/issuer.h"
#include "homeslice/v1/enrolment.grpc.pb.h"

namespace homeslice::controller {

class EnrolmentApi : public v1::EnrolmentService::CallbackService {
public:
    EnrolmentApi(const Gate& gate, const Issuer& issuer) : gate_(gate), issuer_(issuer) {}

    grpc::ServerUnaryReactor* Join(grpc::CallbackServerContext* context, const v1::JoinRequest* request,
                                   v1::Enrolment* response) override;
    grpc::ServerUnaryReactor* Renew(grpc::CallbackServerContext* context, const v1::RenewRequest* request,
                                    v1::Enrolment* response) override;

private:
    absl::Status join(const v1::JoinRequest& request, v1::Enrolment& response);
    absl::Status renew(const grpc::CallbackServerContext& context, const v1::RenewRequest& request,
                       v1::Enrolment& response);
    absl::Status fill(const std::string& certificate_request, const pki::Identity& identity, v1::Enrolment& response);

    const Gate& gate_;
    const Issuer& issuer_;
};

}  // namespace homeslice::controller
