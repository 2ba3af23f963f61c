// The columns that hold more than one value, as JSON text. Parsing gives DATA_LOSS on what these functions did not
// write.
#pragma once

#include <absl/status/statusor.h>

#include <set>
#include <string>
#include <vector>

#include "controller/model/model.h"

namespace homeslice::controller {

std::string toColumn(const std::set<std::string>& values);
std::string toColumn(const std::vector<std::string>& values);
std::string toColumn(const std::vector<OperationFailure>& failures);
std::string toColumn(const Labels& labels);
std::string toColumn(const PlacementRules& rules);
std::string toColumn(const Quota& quota);
std::string toColumn(const Reservation& reservation);
std::string toColumn(const Loan& loan);

absl::StatusOr<std::vector<std::string>> stringsFromColumn(const std::string& text);
absl::StatusOr<std::vector<OperationFailure>> failuresFromColumn(const std::string& text);
absl::StatusOr<Labels> labelsFromColumn(const std::string& text);
absl::StatusOr<PlacementRules> rulesFromColumn(const std::string& text);
absl::StatusOr<Quota> quotaFromColumn(const std::string& text);
absl::StatusOr<Reservation> reservationFromColumn(const std::string& text);
absl::StatusOr<Loan> loanFromColumn(const std::string& text);

}  // namespace homeslice::controller
