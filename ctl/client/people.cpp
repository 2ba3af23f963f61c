// The client's calls about users, certificates, shared slices and the audit log.
#include "ctl/client/channel.h"
#include "pki/enrol/enrol.h"

namespace homeslice::ctl {

using Stub = v1::ControllerService::Stub;

absl::StatusOr<v1::JoinToken> Client::makeNodeToken(const std::string& name, uint32_t lifetime_s, bool home_agent) {
    v1::MakeNodeTokenRequest request;
    request.set_name(name);
    request.set_lifetime_s(lifetime_s);
    request.set_home_agent(home_agent);
    return impl_->call(&Stub::MakeNodeToken, request);
}

absl::Status Client::setHomeAgentRole(const std::string& name, bool allowed) {
    v1::SetHomeAgentRoleRequest request;
    request.set_name(name);
    request.set_allowed(allowed);
    return impl_->call(&Stub::SetHomeAgentRole, request).status();
}

absl::Status Client::revokeNode(const std::string& name) {
    v1::RevokeNodeRequest request;
    request.set_name(name);
    return impl_->call(&Stub::RevokeNode, request).status();
}

absl::StatusOr<v1::ListUsersResponse> Client::listUsers() {
    return impl_->callForAll(&Stub::ListUsers, v1::ListUsersRequest());
}

absl::StatusOr<v1::JoinToken> Client::addUser(const std::string& name, v1::Role role, uint32_t lifetime_s) {
    v1::AddUserRequest request;
    request.set_name(name);
    request.set_role(role);
    request.set_lifetime_s(lifetime_s);
    return impl_->call(&Stub::AddUser, request);
}

absl::StatusOr<v1::JoinToken> Client::makeUserToken(const std::string& name, uint32_t lifetime_s) {
    v1::MakeUserTokenRequest request;
    request.set_name(name);
    request.set_lifetime_s(lifetime_s);
    return impl_->call(&Stub::MakeUserToken, request);
}

absl::Status Client::removeUser(const std::string& name) {
    v1::RemoveUserRequest request;
    request.set_name(name);
    return impl_->call(&Stub::RemoveUser, request).status();
}

absl::StatusOr<v1::User> Client::addUserKey(const std::string& user, const std::string& key) {
    v1::UserKeyRequest request;
    request.set_user(user);
    request.set_key(key);
    return impl_->call(&Stub::AddUserKey, request);
}

absl::StatusOr<v1::User> Client::removeUserKey(const std::string& user, const std::string& key) {
    v1::UserKeyRequest request;
    request.set_user(user);
    request.set_key(key);
    return impl_->call(&Stub::RemoveUserKey, request);
}

absl::StatusOr<v1::Slice> Client::shareSlice(const std::string& name, const std::string& user, bool end) {
    v1::ShareSliceRequest request;
    request.set_name(name);
    request.set_user(user);
    request.set_end(end);
    return impl_->call(&Stub::ShareSlice, request);
}

absl::StatusOr<v1::ListAuditResponse> Client::listAudit(uint32_t newest) {
    v1::ListAuditRequest request;
    request.set_newest(newest);
    return impl_->callForAll(&Stub::ListAudit, request);
}

absl::StatusOr<v1::FlowReport> Client::findFlows(const v1::FindFlowsRequest& request) {
    return impl_->call(&Stub::FindFlows, request);
}

absl::StatusOr<pki::Credentials> Client::redeem(const pki::Token& token) {
    return enrol::join(impl_->ask().channel, token);
}

}  // namespace homeslice::ctl
