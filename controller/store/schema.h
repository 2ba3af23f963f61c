// The tables of the controller's database and how an older file becomes a present one.
#pragma once

#include <absl/status/status.h>

#include <cstdint>

#include "controller/store/database.h"

namespace homeslice::controller {

// Brings the file to the present version in one transaction (PRAGMA user_version holds it). FAILED_PRECONDITION when it
// is newer than this program.
absl::Status migrate(Database& database);
// An empty database as an earlier version's sliced would have made it, to be migrated.
absl::Status createAsOfVersion(Database& database, int64_t version);
int64_t presentVersion();

}  // namespace homeslice::controller
