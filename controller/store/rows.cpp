#include "controller/store/rows.h"

#include <algorithm>

#include "base/status.h"
#include "controller/moves/move.h"
#include "controller/store/json_columns.h"
#include "spec/json.h"

namespace homeslice::controller {

absl::StatusOr<Node> readNode(ColumnReader& row) {
    Node node;
    node.name = row.text();
    HS_ASSIGN_OR_RETURN(node.care_of_address, Ipv6Address::parse(row.text()));
    node.api_port = static_cast<uint16_t>(row.small());
    node.version = row.text();
    node.home_agent = row.integer() != 0;
    node.cpus = row.small();
    node.memory_bytes = row.unsignedInteger();
    node.kernel = row.text();
    node.boot_id = row.text();
    node.last_seen_us = row.integer();
    HS_ASSIGN_OR_RETURN(node.labels, labelsFromColumn(row.text()));
    node.cordoned = row.integer() != 0;
    node.correspondent = row.integer() != 0;
    return node;
}

void bindNode(ColumnWriter& row, const Node& node) {
    row.bind(node.name).bind(node.care_of_address.toString()).bind(uint32_t{node.api_port}).bind(node.version);
    row.bind(uint32_t{node.home_agent}).bind(node.cpus).bind(node.memory_bytes).bind(node.kernel).bind(node.boot_id);
    row.bind(node.last_seen_us).bind(toColumn(node.labels)).bind(uint32_t{node.cordoned});
    row.bind(uint32_t{node.correspondent});
}

absl::StatusOr<Image> readImage(ColumnReader& row) {
    Image image;
    image.name = row.text();
    image.digest = row.text();
    image.size_bytes = row.unsignedInteger();
    image.created_us = row.integer();
    return image;
}

void bindImage(ColumnWriter& row, const Image& image) {
    row.bind(image.name).bind(image.digest).bind(image.size_bytes).bind(image.created_us);
}

absl::StatusOr<Slice> readSlice(ColumnReader& row) {
    Slice slice;
    slice.name = row.text();
    slice.number = row.small();
    HS_ASSIGN_OR_RETURN(slice.base, parseSliverTemplate(row.text()));
    slice.created_us = row.integer();
    slice.lease_end_us = row.integer();
    slice.deleting = row.integer() != 0;
    HS_ASSIGN_OR_RETURN(slice.rules, rulesFromColumn(row.text()));
    slice.suspended = row.integer() != 0;
    slice.owner = row.text();
    HS_ASSIGN_OR_RETURN(const std::vector<std::string> members, stringsFromColumn(row.text()));
    slice.members.insert(members.begin(), members.end());
    slice.reservation = row.text();
    return slice;
}

void bindSlice(ColumnWriter& row, const Slice& slice) {
    row.bind(slice.name).bind(slice.number).bind(toJson(slice.base)).bind(slice.created_us);
    row.bind(slice.lease_end_us).bind(uint32_t{slice.deleting}).bind(toColumn(slice.rules));
    row.bind(uint32_t{slice.suspended}).bind(slice.owner).bind(toColumn(slice.members));
    row.bind(slice.reservation);
}

absl::StatusOr<Sliver> readSliver(ColumnReader& row) {
    Sliver sliver;
    sliver.id.slice = row.text();
    sliver.id.index = row.small();
    sliver.node = row.text();
    sliver.generation = row.unsignedInteger();
    sliver.last_generation = row.unsignedInteger();
    HS_ASSIGN_OR_RETURN(const std::vector<std::string> holders, stringsFromColumn(row.text()));
    sliver.holders.insert(holders.begin(), holders.end());
    HS_ASSIGN_OR_RETURN(sliver.move.phase, parseMovePhase(row.text()));
    sliver.move.source = row.text();
    sliver.move.target = row.text();
    sliver.move.source_generation = row.unsignedInteger();
    sliver.move.target_generation = row.unsignedInteger();
    sliver.move.operation = row.text();
    sliver.frozen = row.integer() != 0;
    sliver.keys_mark = row.text();
    sliver.weight = static_cast<uint16_t>(row.small());
    sliver.draining = row.integer() != 0;
    sliver.placed_by = row.text();
    return sliver;
}

void bindSliver(ColumnWriter& row, const Sliver& sliver) {
    row.bind(sliver.id.slice).bind(sliver.id.index).bind(sliver.node).bind(sliver.generation);
    row.bind(sliver.last_generation).bind(toColumn(sliver.holders)).bind(std::string(toString(sliver.move.phase)));
    row.bind(sliver.move.source).bind(sliver.move.target).bind(sliver.move.source_generation);
    row.bind(sliver.move.target_generation).bind(sliver.move.operation).bind(uint32_t{sliver.frozen});
    row.bind(sliver.keys_mark);
    row.bind(uint32_t{sliver.weight}).bind(uint32_t{sliver.draining}).bind(sliver.placed_by);
}

absl::StatusOr<Operation> readOperation(ColumnReader& row) {
    Operation operation;
    operation.id = row.text();
    const uint32_t kind = row.small();
    operation.subject.slice = row.text();
    operation.subject.index = row.small();
    const uint32_t state = row.small();
    if (kind > static_cast<uint32_t>(OperationKind::importImage) ||
        state > static_cast<uint32_t>(OperationState::cancelled)) {
        return dataLoss("operation " + operation.id + " is of an unknown kind or state");
    }
    operation.kind = static_cast<OperationKind>(kind);
    operation.state = static_cast<OperationState>(state);
    operation.done = row.small();
    operation.total = row.small();
    operation.step = row.text();
    HS_ASSIGN_OR_RETURN(operation.failures, failuresFromColumn(row.text()));
    operation.started_us = row.integer();
    operation.ended_us = row.integer();
    operation.request_id = row.text();
    operation.node = row.text();
    return operation;
}

void bindOperation(ColumnWriter& row, const Operation& operation) {
    row.bind(operation.id).bind(static_cast<uint32_t>(operation.kind)).bind(operation.subject.slice);
    row.bind(operation.subject.index).bind(static_cast<uint32_t>(operation.state)).bind(operation.done);
    row.bind(operation.total).bind(operation.step).bind(toColumn(operation.failures)).bind(operation.started_us);
    row.bind(operation.ended_us).bind(operation.request_id).bind(operation.node);
}

// The name that is the key stands beside the value too.
absl::StatusOr<Reservation> readReservation(ColumnReader& row) {
    static_cast<void>(row.text());
    return reservationFromColumn(row.text());
}

void bindReservation(ColumnWriter& row, const Reservation& reservation) {
    row.bind(reservation.name).bind(toColumn(reservation));
}

absl::StatusOr<Loan> readLoan(ColumnReader& row) {
    static_cast<void>(row.text());
    return loanFromColumn(row.text());
}

void bindLoan(ColumnWriter& row, const Loan& loan) { row.bind(loan.key()).bind(toColumn(loan)); }

}  // namespace homeslice::controller
