// ControllerService's methods about users, certificates, shared slices and the audit log.
#include <algorithm>
#include <charconv>
#include <iterator>

#include "base/status.h"
#include "controller/api/answer.h"
#include "controller/api/controller_service.h"
#include "controller/api/timed_key.h"

namespace homeslice::controller {
namespace {

constexpr size_t kAuditShown = 1000;

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

TimedKey keyOf(const std::vector<AuditEntry>& entries, const AuditEntry& entry) {
    const auto at = entries.begin() + (&entry - entries.data());
    const auto before =
        std::count_if(entries.begin(), at, [&](const auto& each) { return each.time_us == entry.time_us; });
    return {entry.time_us, std::to_string(before)};
}

// Behind the last one with the key; when that one is not kept any more, behind its time.
std::vector<AuditEntry>::const_iterator behind(const std::vector<AuditEntry>& entries, const TimedKey& key) {
    size_t left = 0;
    const auto of_its_time = [&](const AuditEntry& each) { return each.time_us == key.time_us; };
    std::from_chars(key.id.data(), key.id.data() + key.id.size(), left);
    auto at = std::find_if(entries.begin(), entries.end(), of_its_time);
    if (at == entries.end()) {
        return std::find_if(entries.begin(), entries.end(),
                            [&](const auto& each) { return each.time_us > key.time_us; });
    }
    while (at != entries.end() && left > 0) {
        at = std::find_if(std::next(at), entries.end(), of_its_time);
        --left;
    }
    return at == entries.end() ? at : std::next(at);
}

}  // namespace

using Unary = ControllerApi::Unary;

Unary* ControllerApi::MakeNodeToken(Context* context, const v1::MakeNodeTokenRequest* request,
                                    v1::JoinToken* response) {
    return change(gate_, context, __func__, request->name(), [&](const Caller&) {
        return fill(controller_.makeNodeToken(request->name(), request->lifetime_s(), request->home_agent()),
                    *response);
    });
}

Unary* ControllerApi::RevokeNode(Context* context, const v1::RevokeNodeRequest* request,
                                 v1::RevokeNodeResponse* /*response*/) {
    return change(gate_, context, __func__, request->name(),
                  [&](const Caller&) { return controller_.revokeNode(request->name()); });
}

Unary* ControllerApi::SetHomeAgentRole(Context* context, const v1::SetHomeAgentRoleRequest* request,
                                       v1::SetHomeAgentRoleResponse* /*response*/) {
    return change(gate_, context, __func__, request->name(),
                  [&](const Caller&) { return controller_.setHomeAgentRole(request->name(), request->allowed()); });
}

Unary* ControllerApi::ListUsers(Context* context, const v1::ListUsersRequest* request,
                                v1::ListUsersResponse* response) {
    return answerPage(gate_, context, __func__, *request, "", [&](const Caller&, const Pager& pager) {
        pager.fillSorted(
            controller_.users(), [](const UserView& view) { return view.user.name; }, adder(response->mutable_users()),
            *response);
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
    return answerPage(gate_, context, __func__, *request, "", [&](const Caller&, const Pager& pager) -> absl::Status {
        return listAudit(*request, pager, *response);
    });
}

// Entries have no keys: one is known by its time, and by how many of the same time come before it.
absl::Status ControllerApi::listAudit(const v1::ListAuditRequest& request, const Pager& pager,
                                      v1::ListAuditResponse& response) const {
    const size_t newest = request.newest() == 0 ? kAuditShown : request.newest();
    // Keys count entries: those of a page that is not the only one are counted from the beginning of all.
    const bool only_page = pager.isFirst() && newest < pager.most();
    HS_ASSIGN_OR_RETURN(const std::vector<AuditEntry> entries,
                        controller_.auditLog(only_page ? static_cast<uint32_t>(newest) : kAuditKept));
    auto begin = entries.end() - static_cast<std::ptrdiff_t>(std::min(newest, entries.size()));
    if (!pager.isFirst()) {
        HS_ASSIGN_OR_RETURN(const TimedKey after, TimedKey::parse(pager.after()));
        begin = behind(entries, after);
    }
    const auto key_of = [&](const AuditEntry& entry) { return keyOf(entries, entry).text(); };
    const auto add = [&](const AuditEntry& entry) -> const v1::AuditEntry& {
        toProto(entry, *response.add_entries());
        return *response.mutable_entries()->rbegin();
    };
    pager.fill(begin, entries.end(), key_of, add, response);
    return absl::OkStatus();
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
