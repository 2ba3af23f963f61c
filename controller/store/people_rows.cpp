#include "controller/store/people_rows.h"

#include <algorithm>

#include "base/status.h"
#include "controller/store/json_columns.h"
#include "controller/store/store.h"

namespace homeslice::controller {

absl::StatusOr<User> readUser(ColumnReader& row) {
    User user;
    user.name = row.text();
    const uint32_t role = row.small();
    if (role > static_cast<uint32_t>(UserRole::admin)) return dataLoss("user " + user.name + " has an unknown role");
    user.role = static_cast<UserRole>(role);
    user.enrolment = row.text();
    user.created_us = row.integer();
    HS_ASSIGN_OR_RETURN(user.ssh_keys, stringsFromColumn(row.text()));
    HS_ASSIGN_OR_RETURN(user.quota, quotaFromColumn(row.text()));
    return user;
}

void bindUser(ColumnWriter& row, const User& user) {
    row.bind(user.name).bind(static_cast<uint32_t>(user.role)).bind(user.enrolment).bind(user.created_us);
    row.bind(toColumn(user.ssh_keys)).bind(toColumn(user.quota));
}

absl::StatusOr<EnrolledNode> readEnrolledNode(ColumnReader& row) {
    EnrolledNode node;
    node.name = row.text();
    node.enrolment = row.text();
    node.home_agent = row.integer() != 0;
    node.was_home_agent = row.integer() != 0;
    return node;
}

void bindEnrolledNode(ColumnWriter& row, const EnrolledNode& node) {
    row.bind(node.name).bind(node.enrolment).bind(uint32_t{node.home_agent}).bind(uint32_t{node.was_home_agent});
}

absl::StatusOr<JoinToken> readToken(ColumnReader& row) {
    JoinToken token;
    token.digest = row.text();
    const uint32_t kind = row.small();
    if (kind > static_cast<uint32_t>(pki::Kind::user)) return dataLoss("a token is of an unknown kind");
    token.kind = static_cast<pki::Kind>(kind);
    token.name = row.text();
    token.expires_us = row.integer();
    token.home_agent = row.integer() != 0;
    return token;
}

void bindToken(ColumnWriter& row, const JoinToken& token) {
    row.bind(token.digest).bind(static_cast<uint32_t>(token.kind)).bind(token.name).bind(token.expires_us);
    row.bind(uint32_t{token.home_agent});
}

absl::Status insertAudit(Database& database, const AuditEntry& entry) {
    HS_ASSIGN_OR_RETURN(Statement row, database.prepare("INSERT INTO audit VALUES (NULL,?,?,?,?,?)"));
    row.bind(entry.time_us).bind(entry.who).bind(entry.what).bind(entry.subject).bind(entry.outcome);
    HS_RETURN_IF_ERROR(row.run());
    return database.execute("DELETE FROM audit WHERE number <= (SELECT MAX(number) FROM audit) - " +
                            std::to_string(kAuditKept));
}

absl::StatusOr<std::vector<AuditEntry>> readAudit(Database& database, uint32_t most) {
    HS_ASSIGN_OR_RETURN(Statement rows, database.prepare("SELECT time_us, who, what, subject, outcome FROM audit "
                                                         "ORDER BY number DESC LIMIT ?"));
    rows.bind(most);
    std::vector<AuditEntry> entries;
    for (;;) {
        HS_ASSIGN_OR_RETURN(const bool more, rows.step());
        if (!more) break;
        AuditEntry& entry = entries.emplace_back();
        entry.time_us = rows.integer();
        entry.who = rows.text();
        entry.what = rows.text();
        entry.subject = rows.text();
        entry.outcome = rows.text();
    }
    std::reverse(entries.begin(), entries.end());
    return entries;
}

}  // namespace homeslice::controller
