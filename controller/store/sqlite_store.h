// The store over a database that is open already.
#pragma once

#include <absl/status/statusor.h>

#include <memory>

#include "controller/store/database.h"
#include "controller/store/store.h"

namespace homeslice::controller {

// Migrates it first; FAILED_PRECONDITION when a newer sliced wrote it.
absl::StatusOr<std::unique_ptr<DurableStore>> makeSqliteStore(std::unique_ptr<Database> database);

}  // namespace homeslice::controller
