// Copies of what the controller knows, as SQLite files (0600) of the present schema or an earlier one. Keys and images
// are files of their own and in no backup.
#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <vector>

#include "controller/store/store.h"

namespace homeslice::controller {

struct Backup {
    Snapshot snapshot;
    std::vector<AuditEntry> audit;
};

// Of a SQLite store's file as it is at one moment, also while sliced uses it, in the version that it has. `to` is there
// whole or not at all; ALREADY_EXISTS rather than replacing one.
absl::Status backUpSqlite(const std::string& database, const std::string& to);
// Of any store.
absl::Status backUp(Store& store, const std::string& to);

// The file itself is left as it is. DATA_LOSS when it is no backup, FAILED_PRECONDITION when a newer sliced made it.
absl::StatusOr<Backup> readBackup(const std::string& path);

// All of a store.
absl::StatusOr<Backup> readAll(Store& store);

// What is restored is older than what nodes and home agents have seen since. So revision and generations skip what may
// have been given out, and one-time tokens, which may have been used, are dropped.
void skipLostTime(Snapshot& snapshot);

}  // namespace homeslice::controller
