// The tables of the controller's database and how an older file becomes a present one.
#pragma once

#include <absl/status/status.h>

#include "controller/store/database.h"

namespace homeslice::controller {

// Brings the file to the present version in one transaction (PRAGMA user_version holds it). FAILED_PRECONDITION when it
// is newer than this program.
absl::Status migrate(Database& database);

}  // namespace homeslice::controller
