#include "controller/api/gate.h"

#include "base/status.h"
#include "controller/store/store.h"
#include "pki/tls/credentials.h"

namespace homeslice::controller {
namespace {

const std::string kLocalAdmin = "admin";

bool isLocal(const grpc::CallbackServerContext& context) { return context.peer().starts_with("unix:"); }

// "web" of "web/2".
std::string sliceOf(const std::string& subject) { return subject.substr(0, subject.find('/')); }

absl::Status checkMethod(const Controller& controller, const Caller& caller, const std::string& method,
                         const std::string& subject) {
    const Method* known = findMethod(method);
    if (known == nullptr) return permissionDenied("nobody has a right to call " + method);
    switch (known->right) {
        case Right::use_slice:
        case Right::own_slice:
            return controller.checkSliceRight(caller, known->right, sliceOf(subject));
        case Right::edit_user:
            return checkEditUser(caller, subject);
        default:
            return checkRight(caller, known->right);
    }
}

}  // namespace

absl::StatusOr<Caller> Gate::callerOf(const grpc::CallbackServerContext& context) const {
    if (isLocal(context)) return Caller{kLocalAdmin, UserRole::admin};
    HS_ASSIGN_OR_RETURN(const tls::Peer peer, tls::peerOf(*context.auth_context()));
    HS_ASSIGN_OR_RETURN(Caller caller, controller_.callerOf(peer.identity));
    HS_RETURN_IF_ERROR(limits_.take("user '" + caller.name + "'"));
    return caller;
}

absl::Status Gate::admitStranger(const grpc::CallbackServerContext& context) const {
    if (isLocal(context)) return absl::OkStatus();
    const std::string peer = context.peer();
    return limits_.take(peer.substr(0, peer.rfind(':')));
}

absl::StatusOr<std::string> Gate::nodeOf(const grpc::CallbackServerContext& context) const {
    HS_ASSIGN_OR_RETURN(const tls::Peer peer, tls::peerOf(*context.auth_context()));
    if (peer.identity.kind != pki::Kind::node) {
        return permissionDenied(describe(peer.identity) + " lacks the rights of a node");
    }
    HS_RETURN_IF_ERROR(controller_.checkIdentity(peer.identity));
    return peer.identity.name;
}

absl::Status Gate::check(const Caller& caller, const std::string& method, const std::string& subject) const {
    const absl::Status allowed = checkMethod(controller_, caller, method, subject);
    const Method* known = findMethod(method);
    if (!allowed.ok() && known != nullptr && known->changes) {
        controller_.recordAudit({0, caller.name, method, subject.substr(0, 128), messageOf(allowed)});
    }
    return allowed;
}

absl::StatusOr<Caller> Gate::admit(const grpc::CallbackServerContext& context, const std::string& method,
                                   const std::string& subject) const {
    HS_ASSIGN_OR_RETURN(Caller caller, callerOf(context));
    HS_RETURN_IF_ERROR(check(caller, method, subject));
    return caller;
}

absl::Status Gate::checkLead() const {
    return leads_() ? absl::OkStatus() : leadLost("this controller does not lead any more: ask the one that does now");
}

}  // namespace homeslice::controller
