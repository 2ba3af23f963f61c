// What a row of each table holds: the rows' forms that all stores share. A new column comes last, in a new step of
// schema.cpp, here and nowhere else. Reading gives DATA_LOSS on what was not written by these functions.
#pragma once

#include <absl/status/statusor.h>

#include "controller/model/model.h"
#include "controller/store/columns.h"

namespace homeslice::controller {

absl::StatusOr<Node> readNode(ColumnReader& row);
void bindNode(ColumnWriter& row, const Node& node);
absl::StatusOr<Image> readImage(ColumnReader& row);
void bindImage(ColumnWriter& row, const Image& image);
absl::StatusOr<Slice> readSlice(ColumnReader& row);
void bindSlice(ColumnWriter& row, const Slice& slice);
absl::StatusOr<Sliver> readSliver(ColumnReader& row);
void bindSliver(ColumnWriter& row, const Sliver& sliver);
absl::StatusOr<Operation> readOperation(ColumnReader& row);
void bindOperation(ColumnWriter& row, const Operation& operation);
absl::StatusOr<Reservation> readReservation(ColumnReader& row);
void bindReservation(ColumnWriter& row, const Reservation& reservation);
absl::StatusOr<Loan> readLoan(ColumnReader& row);
void bindLoan(ColumnWriter& row, const Loan& loan);

inline void bindKey(ColumnWriter& row, const std::string& key) { row.bind(key); }
inline void bindKey(ColumnWriter& row, const SliverId& id) { row.bind(id.slice).bind(id.index); }

}  // namespace homeslice::controller
