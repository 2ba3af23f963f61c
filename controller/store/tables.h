// The tables, and which part of the state each holds. A new table is a line in each of the two functions.
#pragma once

#include <absl/status/status.h>

#include <utility>

#include "base/status.h"
#include "controller/store/people_rows.h"
#include "controller/store/rows.h"
#include "controller/store/store.h"

namespace homeslice::controller {

struct Table {
    const char* name;
    const char* key;      // condition on its key, for SQL
    int key_columns = 1;  // the first columns are the key
};

inline constexpr Table kNodes{"nodes", "name=?"};
inline constexpr Table kImages{"images", "name=?"};
inline constexpr Table kSlices{"slices", "name=?"};
inline constexpr Table kSlivers{"slivers", "slice=? AND number=?", 2};
inline constexpr Table kOperations{"operations", "id=?"};
inline constexpr Table kUsers{"users", "name=?"};
inline constexpr Table kEnrolledNodes{"enrolled_nodes", "name=?"};
inline constexpr Table kTokens{"tokens", "digest=?"};
inline constexpr Table kReservations{"reservations", "name=?"};
inline constexpr Table kLoans{"loans", "name=?"};

// Gives the rows and keys of `changes` to `sink`, in the order that applyTo() promises:
//     absl::Status put(const Table&, const std::vector<T>&, void (*bind)(ColumnWriter&, const T&));
//     absl::Status erase(const Table&, const std::vector<Key>&);    // with bindKey()
template <typename Sink>
absl::Status writeRows(const Changes& changes, Sink& sink) {
    HS_RETURN_IF_ERROR(sink.put(kNodes, changes.put_nodes, bindNode));
    HS_RETURN_IF_ERROR(sink.put(kImages, changes.put_images, bindImage));
    HS_RETURN_IF_ERROR(sink.put(kSlices, changes.put_slices, bindSlice));
    HS_RETURN_IF_ERROR(sink.put(kSlivers, changes.put_slivers, bindSliver));
    HS_RETURN_IF_ERROR(sink.put(kOperations, changes.put_operations, bindOperation));
    HS_RETURN_IF_ERROR(sink.put(kUsers, changes.put_users, bindUser));
    HS_RETURN_IF_ERROR(sink.put(kEnrolledNodes, changes.put_enrolled_nodes, bindEnrolledNode));
    HS_RETURN_IF_ERROR(sink.put(kTokens, changes.put_tokens, bindToken));
    HS_RETURN_IF_ERROR(sink.put(kReservations, changes.put_reservations, bindReservation));
    HS_RETURN_IF_ERROR(sink.put(kLoans, changes.put_loans, bindLoan));
    HS_RETURN_IF_ERROR(sink.erase(kImages, changes.erase_images));
    HS_RETURN_IF_ERROR(sink.erase(kSlices, changes.erase_slices));
    HS_RETURN_IF_ERROR(sink.erase(kSlivers, changes.erase_slivers));
    HS_RETURN_IF_ERROR(sink.erase(kOperations, changes.erase_operations));
    HS_RETURN_IF_ERROR(sink.erase(kUsers, changes.erase_users));
    HS_RETURN_IF_ERROR(sink.erase(kEnrolledNodes, changes.erase_enrolled_nodes));
    HS_RETURN_IF_ERROR(sink.erase(kTokens, changes.erase_tokens));
    HS_RETURN_IF_ERROR(sink.erase(kReservations, changes.erase_reservations));
    return sink.erase(kLoans, changes.erase_loans);
}

// Fills the snapshot's tables from `source`, which reads each row of a table and hands the value on:
//     absl::Status each(const Table&, absl::StatusOr<T> (*read)(ColumnReader&), keep(T));
template <typename Source>
absl::Status readRows(Source& source, Snapshot& snapshot) {
    HS_RETURN_IF_ERROR(
        source.each(kNodes, readNode, [&](Node node) { snapshot.nodes.emplace(node.name, std::move(node)); }));
    HS_RETURN_IF_ERROR(
        source.each(kImages, readImage, [&](Image image) { snapshot.images.emplace(image.name, std::move(image)); }));
    HS_RETURN_IF_ERROR(
        source.each(kSlices, readSlice, [&](Slice slice) { snapshot.slices.emplace(slice.name, std::move(slice)); }));
    HS_RETURN_IF_ERROR(source.each(kSlivers, readSliver,
                                   [&](Sliver sliver) { snapshot.slivers.emplace(sliver.id, std::move(sliver)); }));
    HS_RETURN_IF_ERROR(source.each(kOperations, readOperation, [&](Operation operation) {
        snapshot.operations.emplace(operation.id, std::move(operation));
    }));
    HS_RETURN_IF_ERROR(
        source.each(kUsers, readUser, [&](User user) { snapshot.users.emplace(user.name, std::move(user)); }));
    HS_RETURN_IF_ERROR(source.each(kEnrolledNodes, readEnrolledNode, [&](EnrolledNode node) {
        snapshot.enrolled_nodes.emplace(node.name, std::move(node));
    }));
    HS_RETURN_IF_ERROR(source.each(kTokens, readToken,
                                   [&](JoinToken token) { snapshot.tokens.emplace(token.digest, std::move(token)); }));
    HS_RETURN_IF_ERROR(source.each(kReservations, readReservation, [&](Reservation reservation) {
        snapshot.reservations.emplace(reservation.name, std::move(reservation));
    }));
    return source.each(kLoans, readLoan, [&](Loan loan) { snapshot.loans.emplace(loan.key(), std::move(loan)); });
}

}  // namespace homeslice::controller
