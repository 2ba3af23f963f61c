// The rows of users, enrolled nodes, tokens and the audit log. Internal to the store.
#pragma once

#include <absl/status/statusor.h>

#include "controller/model/people.h"
#include "controller/store/columns.h"
#include "controller/store/database.h"

namespace homeslice::controller {

absl::StatusOr<User> readUser(ColumnReader& row);
void bindUser(ColumnWriter& row, const User& user);
absl::StatusOr<EnrolledNode> readEnrolledNode(ColumnReader& row);
void bindEnrolledNode(ColumnWriter& row, const EnrolledNode& node);
absl::StatusOr<JoinToken> readToken(ColumnReader& row);
void bindToken(ColumnWriter& row, const JoinToken& token);

absl::Status insertAudit(Database& database, const AuditEntry& entry);
absl::StatusOr<std::vector<AuditEntry>> readAudit(Database& database, uint32_t most);

}  // namespace homeslice::controller
