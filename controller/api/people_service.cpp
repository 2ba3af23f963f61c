// ControllerService's methods about users, certificates, shared slices and the audit log.
#include "base/status.h"
#include "controller/api/answer.h"
#include "controller/api/controller_service.h"

namespace homeslice::controller {
namespace {

absl::StatusOr<UserRole> roleOf(v1::Role role) {
    if (role == v1::ROLE_UNSPECIFIED || role == v1::ROLE_USER) return UserRole::user;
    if (role == v1::ROLE_ADMIN) return UserRole::admin;
    return invalidArgument("the role is unknown");
}

void toProto(const AuditEntry& entry, v1::AuditEntry& out) {
    out.set_time_us(entry.time_us);
    out.set_who(entry.who);
    out.set_what(entry.what);
    out.set_subject(entry.subject);
    out.set_outcome(entry.outcome);
}

}  // namespace

using Unary = ControllerApi::Unary;

Unary* ControllerApi::MakeNodeToken(Context* context, const v1::MakeNodeTokenRequest* request,
                                    v1::JoinToken* response) {
    return change(gate_, context, __func__, request->name(), [&](const Caller&) {
        return fill(controller_.makeNodeToken(request->name(), request->lifetime_s()), *response);
    });
}

Unary* ControllerApi::RevokeNode(Context* context, const v1::RevokeNodeRequest* request,
                                 v1::RevokeNodeResponse* /*response*/) {
    return change(gate_, context, __func__, request->name(),
                  [&](const Caller&) { return controller_.revokeNode(request->name()); });
}

Unary* ControllerApi::ListUsers(Context* context, const v1::ListUsersRequest* /*request*/,
                                v1::ListUsersResponse* response) {
    return answer(gate_, context, __func__, "", [&](const Caller&) {
        for (const UserView& view : controller_.users()) toProto(view, *response->add_users());
        return absl::OkStatus();
    });
}

// For this one and the two about keys the caller has to be known before it can be said whom the request is about.
Unary* ControllerApi::GetUser(Context* context, const v1::GetUserRequest* request, v1::User* response) {
    const auto caller = gate_.callerOf(*context);
    if (!caller.ok()) return finish(context, caller.status());
    const std::string user = request->name().empty() ? caller->name : request->name();
    return answer(gate_, context, __func__, user,
                  [&](const Caller&) { return filled(controller_.user(user), response); });
}

Unary* ControllerApi::AddUser(Context* context, const v1::AddUserRequest* request, v1::JoinToken* response) {
    return change(gate_, context, __func__, request->name(), [&](const Caller&) -> absl::Status {
        HS_ASSIGN_OR_RETURN(const UserRole role, roleOf(request->role()));
        return fill(controller_.addUser(request->name(), role, request->lifetime_s()), *response);
    });
}

Unary* ControllerApi::MakeUserToken(Context* context, const v1::MakeUserTokenRequest* request,
                                    v1::JoinToken* response) {
    return change(gate_, context, __func__, request->name(), [&](const Caller&) {
        return fill(controller_.makeUserToken(request->name(), request->lifetime_s()), *response);
    });
}

Unary* ControllerApi::RemoveUser(Context* context, const v1::RemoveUserRequest* request,
                                 v1::RemoveUserResponse* /*response*/) {
    return change(gate_, context, __func__, request->name(),
                  [&](const Caller&) { return controller_.removeUser(request->name()); });
}

Unary* ControllerApi::AddUserKey(Context* context, const v1::UserKeyRequest* request, v1::User* response) {
    const auto caller = gate_.callerOf(*context);
    if (!caller.ok()) return finish(context, caller.status());
    const std::string user = request->user().empty() ? caller->name : request->user();
    return change(gate_, context, __func__, user, [&](const Caller&) -> absl::Status {
        HS_ASSIGN_OR_RETURN(const User changed, controller_.addUserKey(user, request->key()));
        toProto(changed, *response);
        return absl::OkStatus();
    });
}

Unary* ControllerApi::RemoveUserKey(Context* context, const v1::UserKeyRequest* request, v1::User* response) {
    const auto caller = gate_.callerOf(*context);
    if (!caller.ok()) return finish(context, caller.status());
    const std::string user = request->user().empty() ? caller->name : request->user();
    return change(gate_, context, __func__, user, [&](const Caller&) -> absl::Status {
        HS_ASSIGN_OR_RETURN(const User changed, controller_.removeUserKey(user, request->key()));
        toProto(changed, *response);
        return absl::OkStatus();
    });
}

Unary* ControllerApi::ShareSlice(Context* context, const v1::ShareSliceRequest* request, v1::Slice* response) {
    return change(gate_, context, __func__, request->name(), [&](const Caller&) {
        return filled(controller_.shareSlice(request->name(), request->user(), request->end()), response);
    });
}

Unary* ControllerApi::ListAudit(Context* context, const v1::ListAuditRequest* request,
                                v1::ListAuditResponse* response) {
    return answer(gate_, context, __func__, "", [&](const Caller&) -> absl::Status {
        HS_ASSIGN_OR_RETURN(const std::vector<AuditEntry> entries, controller_.auditLog(request->newest()));
        for (const AuditEntry& entry : entries) toProto(entry, *response->add_entries());
        return absl::OkStatus();
    });
}

absl::Status ControllerApi::fill(const absl::StatusOr<NewToken>& token, v1::JoinToken& response) const {
    HS_RETURN_IF_ERROR(token.status());
    pki::Token whole = token->token;
    whole.fingerprint = issuer_.fingerprint();
    response.set_token(whole.toString());
    response.set_expires_us(token->expires_us);
    return absl::OkStatus();
}

}  // namespace homeslice::controller
