// What slices lend each other of their guarantees. Pure. docs/design/capacity.md
#pragma once

#include <absl/status/status.h>

#include <map>
#include <string>
#include <vector>

#include "controller/model/model.h"
#include "controller/store/store.h"

namespace homeslice::controller {

// FAILED_PRECONDITION unless the lender has this to lend, and the borrower can take it.
absl::Status checkLoan(const Snapshot& snapshot, const Loan& loan);
// The same of a slice whose limits change to `next` while loans run.
absl::Status checkLoansOf(const Snapshot& snapshot, const std::string& slice, const Resources& next);
// The guarantees of the slivers on the node that differ, for loans, from their slices'.
std::map<SliverId, uint32_t> guaranteesWithLoans(const Snapshot& snapshot, const std::string& node);
// The nodes where slivers of the borrower get nothing, for want of the lender's.
std::vector<std::string> uncoveredNodes(const Snapshot& snapshot, const Loan& loan);

}  // namespace homeslice::controller
