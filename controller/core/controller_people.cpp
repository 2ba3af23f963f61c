// Users, the nodes' certificates, and what each may do.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/names.h"
#include "base/reason.h"
#include "base/status.h"
#include "controller/auth/ssh_keys.h"
#include "controller/core/audit.h"
#include "controller/core/controller.h"
#include "controller/core/node_role.h"
#include "controller/core/operation_rights.h"
#include "controller/core/own_entry.h"

namespace homeslice::controller {
namespace {

constexpr std::chrono::seconds kTokenLifetime = std::chrono::hours(1);
constexpr std::chrono::seconds kLongestTokenLifetime = std::chrono::hours(24 * 30);
constexpr uint32_t kAuditShown = 1000;

absl::StatusOr<std::chrono::seconds> tokenLifetime(uint32_t asked_s) {
    if (asked_s == 0) return kTokenLifetime;
    const std::chrono::seconds asked(asked_s);
    if (asked > kLongestTokenLifetime) return invalidArgument("a token is good for at most 30 days");
    return asked;
}

bool isFor(const JoinToken& token, pki::Kind kind, const std::string& name) {
    return token.kind == kind && token.name == name;
}

void eraseTokensOf(const Snapshot& snapshot, pki::Kind kind, const std::string& name, Changes& changes) {
    for (const auto& [digest, token] : snapshot.tokens) {
        if (isFor(token, kind, name)) changes.erase_tokens.push_back(digest);
    }
}

absl::Status revoked(const pki::Identity& identity) {
    return because(absl::UnauthenticatedError("the certificate of " + describe(identity) +
                                              " was revoked: ask an administrator for a token"),
                   reason::kCertificateRevoked);
}

}  // namespace

absl::StatusOr<const User*> Controller::findUser(const std::string& name) const {
    HS_RETURN_IF_ERROR(checkName("user name", name));
    const auto found = snapshot_.users.find(name);
    if (found == snapshot_.users.end())
        return because(notFound("no user '" + name + "'"), reason::kUserNotFound, {{"user", name}});
    return &found->second;
}

// Adds the token to `changes`.
absl::StatusOr<NewToken> Controller::planToken(pki::Kind kind, const std::string& name, uint32_t lifetime_s,
                                               Changes& changes) const {
    HS_ASSIGN_OR_RETURN(const std::chrono::seconds lifetime, tokenLifetime(lifetime_s));
    const int64_t now_us = clock_.utc_us();
    for (const auto& [digest, token] : snapshot_.tokens) {
        if (token.expires_us <= now_us) changes.erase_tokens.push_back(digest);
    }
    NewToken made;
    made.token.kind = kind;
    made.token.name = name;
    made.token.secret = randomId();
    made.expires_us = now_us + std::chrono::duration_cast<std::chrono::microseconds>(lifetime).count();
    changes.put_tokens.push_back({pki::digestOf(made.token.secret), kind, name, made.expires_us});
    return made;
}

absl::StatusOr<NewToken> Controller::makeNodeToken(const std::string& name, uint32_t lifetime_s, bool home_agent) {
    HS_RETURN_IF_ERROR(checkName("node name", name));
    const std::lock_guard lock(mutex_);
    Changes changes;
    HS_ASSIGN_OR_RETURN(NewToken token, planToken(pki::Kind::node, name, lifetime_s, changes));
    changes.put_tokens.back().home_agent = home_agent;
    HS_RETURN_IF_ERROR(commit(std::move(changes)));
    return token;
}

absl::StatusOr<NewToken> Controller::makeUserToken(const std::string& name, uint32_t lifetime_s) {
    const std::lock_guard lock(mutex_);
    HS_RETURN_IF_ERROR(findUser(name).status());
    Changes changes;
    HS_ASSIGN_OR_RETURN(NewToken token, planToken(pki::Kind::user, name, lifetime_s, changes));
    HS_RETURN_IF_ERROR(commit(std::move(changes)));
    return token;
}

absl::StatusOr<NewToken> Controller::addUser(const std::string& name, UserRole role, uint32_t lifetime_s) {
    HS_RETURN_IF_ERROR(checkName("user name", name));
    const std::lock_guard lock(mutex_);
    if (snapshot_.users.contains(name)) return alreadyExists("user '" + name + "' exists already");
    Changes changes;
    changes.put_users.push_back({name, role, "", clock_.utc_us(), {}});
    HS_ASSIGN_OR_RETURN(NewToken token, planToken(pki::Kind::user, name, lifetime_s, changes));
    HS_RETURN_IF_ERROR(commit(std::move(changes)));
    logInfo("user {}: added, {}", name, toString(role));
    return token;
}

absl::Status Controller::removeUser(const std::string& name) {
    const std::lock_guard lock(mutex_);
    HS_RETURN_IF_ERROR(findUser(name).status());
    Changes changes;
    for (const auto& [slice_name, slice] : snapshot_.slices) {
        if (slice.owner == name) {
            return failedPrecondition("user '" + name + "' owns slice '" + slice_name + "': remove that first");
        }
        if (!slice.members.contains(name)) continue;
        changes.put_slices.push_back(slice);
        changes.put_slices.back().members.erase(name);
    }
    changes.erase_users.push_back(name);
    eraseTokensOf(snapshot_, pki::Kind::user, name, changes);
    HS_RETURN_IF_ERROR(commit(std::move(changes)));
    logInfo("user {}: removed", name);
    return absl::OkStatus();
}

absl::Status Controller::revokeNode(const std::string& name) {
    HS_RETURN_IF_ERROR(checkName("node name", name));
    const std::lock_guard lock(mutex_);
    Changes changes;
    if (snapshot_.enrolled_nodes.contains(name)) changes.erase_enrolled_nodes.push_back(name);
    eraseTokensOf(snapshot_, pki::Kind::node, name, changes);
    if (changes.empty()) return notFound("node '" + name + "' has neither a certificate nor a token");
    HS_RETURN_IF_ERROR(commit(std::move(changes)));
    nodes_.closeSession(name, permissionDenied("the certificate of node '" + name + "' was revoked"));
    settleAll();
    logInfo("node {}: its certificates are revoked", name);
    return absl::OkStatus();
}

absl::Status Controller::setHomeAgentRole(const std::string& name, bool allowed) {
    HS_RETURN_IF_ERROR(checkName("node name", name));
    const std::lock_guard lock(mutex_);
    const auto found = snapshot_.enrolled_nodes.find(name);
    if (found == snapshot_.enrolled_nodes.end()) {
        return notFound("node '" + name + "' has not joined: `slicectl node token " + name +
                        " --home-agent` makes a token for a home agent");
    }
    Changes changes;
    changes.put_enrolled_nodes.push_back(found->second);
    EnrolledNode& changed = changes.put_enrolled_nodes.back();
    changed.was_home_agent = changed.was_home_agent || (changed.home_agent && !allowed);
    changed.home_agent = allowed;
    HS_RETURN_IF_ERROR(commit(std::move(changes)));
    const auto node = snapshot_.nodes.find(name);
    const bool is_one = node != snapshot_.nodes.end() && node->second.home_agent;
    if (is_one && !allowed) nodes_.closeSession(name, checkRole(node->second, snapshot_));
    settleAll();
    logInfo("node {}: {} a home agent", name, allowed ? "may be" : "is no more to be");
    return absl::OkStatus();
}

absl::StatusOr<pki::Identity> Controller::redeemToken(const pki::Token& token) {
    const std::lock_guard lock(mutex_);
    const auto found = snapshot_.tokens.find(pki::digestOf(token.secret));
    const bool good = found != snapshot_.tokens.end() && isFor(found->second, token.kind, token.name) &&
                      found->second.expires_us > clock_.utc_us();
    if (!good) return permissionDenied("the token is unknown, used or expired: ask an administrator for another");
    Changes changes;
    changes.erase_tokens.push_back(found->first);
    const pki::Identity identity = planEnrolment(found->second, changes);
    HS_RETURN_IF_ERROR(commit(std::move(changes)));
    logInfo("{} has joined", describe(identity));
    return identity;
}

// Certificates that the subject has already stay good, and so does a role that a node has.
pki::Identity Controller::planEnrolment(const JoinToken& token, Changes& changes) const {
    pki::Identity identity{token.kind, token.name, ""};
    if (token.kind == pki::Kind::node) {
        const auto known = snapshot_.enrolled_nodes.find(token.name);
        EnrolledNode node =
            known == snapshot_.enrolled_nodes.end() ? EnrolledNode{token.name, randomId()} : known->second;
        node.home_agent = node.home_agent || token.home_agent;
        identity.enrolment = node.enrolment;
        changes.put_enrolled_nodes.push_back(std::move(node));
        return identity;
    }
    User user = snapshot_.users.at(token.name);
    if (user.enrolment.empty()) user.enrolment = randomId();
    identity.enrolment = user.enrolment;
    changes.put_users.push_back(std::move(user));
    return identity;
}

absl::Status Controller::checkIdentity(const pki::Identity& identity) const {
    const std::lock_guard lock(mutex_);
    if (identity.kind == pki::Kind::node) {
        const auto node = snapshot_.enrolled_nodes.find(identity.name);
        const bool current = node != snapshot_.enrolled_nodes.end() && node->second.enrolment == identity.enrolment;
        return current ? absl::OkStatus() : revoked(identity);
    }
    const auto user = snapshot_.users.find(identity.name);
    const bool current = identity.kind == pki::Kind::user && user != snapshot_.users.end() &&
                         user->second.enrolment == identity.enrolment;
    return current ? absl::OkStatus() : revoked(identity);
}

absl::StatusOr<Caller> Controller::callerOf(const pki::Identity& identity) const {
    if (identity.kind != pki::Kind::user) {
        return permissionDenied(describe(identity) + " lacks every right of a user");
    }
    HS_RETURN_IF_ERROR(checkIdentity(identity));
    const std::lock_guard lock(mutex_);
    const auto user = snapshot_.users.find(identity.name);
    if (user == snapshot_.users.end()) return revoked(identity);
    return Caller{user->first, user->second.role};
}

absl::Status Controller::checkSliceRight(const Caller& caller, Right right, const std::string& slice) const {
    const std::lock_guard lock(mutex_);
    const auto found = snapshot_.slices.find(slice);
    // What is not there is for the request itself to say.
    return found == snapshot_.slices.end() ? absl::OkStatus() : checkRight(caller, right, found->second);
}

absl::Status Controller::checkOperationRight(const Caller& caller, const Operation& operation) const {
    const std::lock_guard lock(mutex_);
    return controller::checkOperationRight(caller, operation, snapshot_);
}

std::string Controller::sliceOfOperation(const std::string& id) const {
    const std::lock_guard lock(mutex_);
    const auto found = snapshot_.operations.find(id);
    return found == snapshot_.operations.end() ? "" : found->second.subject.slice;
}

absl::StatusOr<User> Controller::addUserKey(const std::string& name, const std::string& text) {
    HS_ASSIGN_OR_RETURN(const std::string key, parseSshKey(text));
    return changeUser(name, [&](User& user) -> absl::Status {
        HS_ASSIGN_OR_RETURN(user.ssh_keys, withSshKey(user.ssh_keys, key));
        return absl::OkStatus();
    });
}

absl::StatusOr<User> Controller::removeUserKey(const std::string& name, const std::string& key) {
    return changeUser(name, [&](User& user) -> absl::Status {
        HS_ASSIGN_OR_RETURN(user.ssh_keys, withoutSshKey(user.ssh_keys, key));
        return absl::OkStatus();
    });
}

absl::StatusOr<User> Controller::changeUser(const std::string& name, const std::function<absl::Status(User&)>& change) {
    const std::lock_guard lock(mutex_);
    HS_ASSIGN_OR_RETURN(const User* found, findUser(name));
    User user = *found;
    HS_RETURN_IF_ERROR(change(user));
    Changes changes;
    changes.put_users.push_back(user);
    HS_RETURN_IF_ERROR(commit(std::move(changes)));
    return user;
}

absl::StatusOr<SliceView> Controller::shareSlice(const std::string& name, const std::string& user, bool end) {
    const std::lock_guard lock(mutex_);
    HS_ASSIGN_OR_RETURN(const Slice* found, findSlice(name));
    Slice slice = *found;
    if (end) {
        if (slice.members.erase(user) == 0) {
            return notFound("user '" + user.substr(0, 60) + "' is no member of slice '" + name + "'");
        }
    } else {
        HS_RETURN_IF_ERROR(findUser(user).status());
        if (slice.deleting) return beingDeleted(name);
        slice.members.insert(user);
    }
    Changes changes;
    changes.put_slices.push_back(slice);
    HS_RETURN_IF_ERROR(commit(std::move(changes)));
    return viewSlice(world(), slice);
}

void Controller::recordAudit(AuditEntry entry) {
    const std::lock_guard lock(mutex_);
    record(std::move(entry));
}

void Controller::recordEvent(const std::string& what, const std::string& subject, const std::string& text) {
    record(ownEntry(0, what, subject, text));
}

void Controller::record(AuditEntry entry) {
    entry.time_us = clock_.utc_us();
    if (const absl::Status stored = store_.record(entry); !stored.ok()) {
        logError("{} by {} ({}) is not in the audit log: {}", entry.what, entry.who, entry.outcome, messageOf(stored));
    }
}

absl::StatusOr<std::vector<AuditEntry>> Controller::auditLog(uint32_t newest) const {
    const std::lock_guard lock(mutex_);
    return store_.audit(newest == 0 ? kAuditShown : std::min(newest, kAuditKept));
}

}  // namespace homeslice::controller
