#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "controller/moves/move.h"
#include "controller/store/database.h"
#include "controller/store/json_columns.h"
#include "controller/store/people_rows.h"
#include "controller/store/schema.h"
#include "controller/store/store.h"
#include "spec/json.h"

namespace homeslice::controller {
namespace {

absl::StatusOr<Node> readNode(Statement& row) {
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

void bindNode(Statement& row, const Node& node) {
    row.bind(node.name).bind(node.care_of_address.toString()).bind(uint32_t{node.api_port}).bind(node.version);
    row.bind(uint32_t{node.home_agent}).bind(node.cpus).bind(node.memory_bytes).bind(node.kernel).bind(node.boot_id);
    row.bind(node.last_seen_us).bind(toColumn(node.labels)).bind(uint32_t{node.cordoned});
    row.bind(uint32_t{node.correspondent});
}

absl::StatusOr<Image> readImage(Statement& row) {
    Image image;
    image.name = row.text();
    image.digest = row.text();
    image.size_bytes = row.unsignedInteger();
    image.created_us = row.integer();
    return image;
}

void bindImage(Statement& row, const Image& image) {
    row.bind(image.name).bind(image.digest).bind(image.size_bytes).bind(image.created_us);
}

absl::StatusOr<Slice> readSlice(Statement& row) {
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

void bindSlice(Statement& row, const Slice& slice) {
    row.bind(slice.name).bind(slice.number).bind(toJson(slice.base)).bind(slice.created_us);
    row.bind(slice.lease_end_us).bind(uint32_t{slice.deleting}).bind(toColumn(slice.rules));
    row.bind(uint32_t{slice.suspended}).bind(slice.owner).bind(toColumn(slice.members));
    row.bind(slice.reservation);
}

absl::StatusOr<Sliver> readSliver(Statement& row) {
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

void bindSliver(Statement& row, const Sliver& sliver) {
    row.bind(sliver.id.slice).bind(sliver.id.index).bind(sliver.node).bind(sliver.generation);
    row.bind(sliver.last_generation).bind(toColumn(sliver.holders)).bind(std::string(toString(sliver.move.phase)));
    row.bind(sliver.move.source).bind(sliver.move.target).bind(sliver.move.source_generation);
    row.bind(sliver.move.target_generation).bind(sliver.move.operation).bind(uint32_t{sliver.frozen});
    row.bind(sliver.keys_mark);
    row.bind(uint32_t{sliver.weight}).bind(uint32_t{sliver.draining}).bind(sliver.placed_by);
}

absl::StatusOr<Operation> readOperation(Statement& row) {
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

void bindOperation(Statement& row, const Operation& operation) {
    row.bind(operation.id).bind(static_cast<uint32_t>(operation.kind)).bind(operation.subject.slice);
    row.bind(operation.subject.index).bind(static_cast<uint32_t>(operation.state)).bind(operation.done);
    row.bind(operation.total).bind(operation.step).bind(toColumn(operation.failures)).bind(operation.started_us);
    row.bind(operation.ended_us).bind(operation.request_id).bind(operation.node);
}

// Of the tables that have a name and a value in JSON.
absl::StatusOr<Reservation> readReservation(Statement& row) {
    static_cast<void>(row.text());
    return reservationFromColumn(row.text());
}

void bindReservation(Statement& row, const Reservation& reservation) {
    row.bind(reservation.name).bind(toColumn(reservation));
}

absl::StatusOr<Loan> readLoan(Statement& row) {
    static_cast<void>(row.text());
    return loanFromColumn(row.text());
}

void bindLoan(Statement& row, const Loan& loan) { row.bind(loan.key()).bind(toColumn(loan)); }

void bindKey(Statement& row, const std::string& key) { row.bind(key); }
void bindKey(Statement& row, const SliverId& id) { row.bind(id.slice).bind(id.index); }

std::vector<std::string> namesOf(const std::vector<Slice>& slices) {
    std::vector<std::string> names;
    for (const Slice& slice : slices) names.push_back(slice.name);
    return names;
}

class SqliteStore : public Store {
public:
    explicit SqliteStore(std::unique_ptr<Database> database) : database_(std::move(database)) {}

    absl::StatusOr<Snapshot> load() override {
        Snapshot snapshot;
        HS_RETURN_IF_ERROR(readMeta(snapshot));
        HS_RETURN_IF_ERROR(
            each("nodes", readNode, [&](Node node) { snapshot.nodes.emplace(node.name, std::move(node)); }));
        HS_RETURN_IF_ERROR(
            each("images", readImage, [&](Image image) { snapshot.images.emplace(image.name, std::move(image)); }));
        HS_RETURN_IF_ERROR(
            each("slices", readSlice, [&](Slice slice) { snapshot.slices.emplace(slice.name, std::move(slice)); }));
        HS_RETURN_IF_ERROR(each("slivers", readSliver,
                                [&](Sliver sliver) { snapshot.slivers.emplace(sliver.id, std::move(sliver)); }));
        HS_RETURN_IF_ERROR(each("operations", readOperation, [&](Operation operation) {
            snapshot.operations.emplace(operation.id, std::move(operation));
        }));
        HS_RETURN_IF_ERROR(
            each("users", readUser, [&](User user) { snapshot.users.emplace(user.name, std::move(user)); }));
        HS_RETURN_IF_ERROR(each("enrolled_nodes", readEnrolledNode, [&](EnrolledNode node) {
            snapshot.enrolled_nodes.emplace(node.name, std::move(node));
        }));
        HS_RETURN_IF_ERROR(each("tokens", readToken,
                                [&](JoinToken token) { snapshot.tokens.emplace(token.digest, std::move(token)); }));
        HS_RETURN_IF_ERROR(each("reservations", readReservation, [&](Reservation reservation) {
            snapshot.reservations.emplace(reservation.name, std::move(reservation));
        }));
        HS_RETURN_IF_ERROR(
            each("loans", readLoan, [&](Loan loan) { snapshot.loans.emplace(loan.key(), std::move(loan)); }));
        return snapshot;
    }

    absl::Status apply(const Changes& changes) override {
        HS_RETURN_IF_ERROR(database_->execute("BEGIN IMMEDIATE"));
        absl::Status status = write(changes);
        if (status.ok()) status = database_->execute("COMMIT");
        if (status.ok()) return status;
        if (const absl::Status undone = database_->execute("ROLLBACK"); !undone.ok()) {
            logWarning("roll back: {}", messageOf(undone));
        }
        return withContext(status, "store");
    }

    absl::Status record(const AuditEntry& entry) override {
        return withContext(insertAudit(*database_, entry), "store the audit log");
    }

    absl::StatusOr<std::vector<AuditEntry>> audit(uint32_t most) override { return readAudit(*database_, most); }

private:
    template <typename Read, typename Keep>
    absl::Status each(const std::string& table, Read read, Keep keep) {
        HS_ASSIGN_OR_RETURN(Statement rows, database_->prepare("SELECT * FROM " + table));
        for (;;) {
            HS_ASSIGN_OR_RETURN(const bool more, rows.step());
            if (!more) return absl::OkStatus();
            auto value = read(rows);
            if (!value.ok()) return withContext(value.status(), "table " + table);
            keep(std::move(value).value());
        }
    }

    absl::Status readMeta(Snapshot& snapshot) {
        HS_ASSIGN_OR_RETURN(Statement rows, database_->prepare("SELECT key, value FROM meta"));
        for (;;) {
            HS_ASSIGN_OR_RETURN(const bool more, rows.step());
            if (!more) return absl::OkStatus();
            const std::string key = rows.text();
            if (key == "revision") snapshot.revision = rows.unsignedInteger();
            if (key == "last_slice_number") snapshot.last_slice_number = rows.small();
            if (key == "home_prefix") snapshot.home_prefix = rows.text();
        }
    }

    absl::Status write(const Changes& changes) {
        HS_RETURN_IF_ERROR(writeMeta(changes));
        HS_RETURN_IF_ERROR(put("REPLACE INTO nodes VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)", changes.put_nodes, bindNode));
        HS_RETURN_IF_ERROR(put("REPLACE INTO images VALUES (?,?,?,?)", changes.put_images, bindImage));
        // Not REPLACE: that would throw out another slice with the same number instead of failing.
        HS_RETURN_IF_ERROR(erase("slices WHERE name=?", namesOf(changes.put_slices)));
        HS_RETURN_IF_ERROR(put("INSERT INTO slices VALUES (?,?,?,?,?,?,?,?,?,?,?)", changes.put_slices, bindSlice));
        HS_RETURN_IF_ERROR(
            put("REPLACE INTO slivers VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", changes.put_slivers, bindSliver));
        HS_RETURN_IF_ERROR(
            put("REPLACE INTO operations VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)", changes.put_operations, bindOperation));
        HS_RETURN_IF_ERROR(erase("images WHERE name=?", changes.erase_images));
        HS_RETURN_IF_ERROR(erase("slices WHERE name=?", changes.erase_slices));
        HS_RETURN_IF_ERROR(erase("slivers WHERE slice=? AND number=?", changes.erase_slivers));
        HS_RETURN_IF_ERROR(erase("operations WHERE id=?", changes.erase_operations));
        HS_RETURN_IF_ERROR(writePeople(changes));
        HS_RETURN_IF_ERROR(writeCapacity(changes));
        return changes.audit ? insertAudit(*database_, *changes.audit) : absl::OkStatus();
    }

    absl::Status writePeople(const Changes& changes) {
        HS_RETURN_IF_ERROR(put("REPLACE INTO users VALUES (?,?,?,?,?,?)", changes.put_users, bindUser));
        HS_RETURN_IF_ERROR(erase("users WHERE name=?", changes.erase_users));
        HS_RETURN_IF_ERROR(
            put("REPLACE INTO enrolled_nodes VALUES (?,?)", changes.put_enrolled_nodes, bindEnrolledNode));
        HS_RETURN_IF_ERROR(erase("enrolled_nodes WHERE name=?", changes.erase_enrolled_nodes));
        HS_RETURN_IF_ERROR(put("REPLACE INTO tokens VALUES (?,?,?,?)", changes.put_tokens, bindToken));
        return erase("tokens WHERE digest=?", changes.erase_tokens);
    }

    absl::Status writeCapacity(const Changes& changes) {
        HS_RETURN_IF_ERROR(put("REPLACE INTO reservations VALUES (?,?)", changes.put_reservations, bindReservation));
        HS_RETURN_IF_ERROR(erase("reservations WHERE name=?", changes.erase_reservations));
        HS_RETURN_IF_ERROR(put("REPLACE INTO loans VALUES (?,?)", changes.put_loans, bindLoan));
        return erase("loans WHERE name=?", changes.erase_loans);
    }

    absl::Status writeMeta(const Changes& changes) {
        HS_RETURN_IF_ERROR(
            database_->execute("INSERT INTO meta VALUES ('revision', 1) "
                               "ON CONFLICT (key) DO UPDATE SET value = CAST(value AS INTEGER) + 1"));
        HS_ASSIGN_OR_RETURN(Statement row, database_->prepare("REPLACE INTO meta VALUES (?,?)"));
        if (changes.last_slice_number) {
            HS_RETURN_IF_ERROR(
                row.bind(std::string("last_slice_number")).bind(std::to_string(*changes.last_slice_number)).run());
        }
        if (!changes.home_prefix) return absl::OkStatus();
        return row.bind(std::string("home_prefix")).bind(*changes.home_prefix).run();
    }

    template <typename T, typename Bind>
    absl::Status put(const std::string& sql, const std::vector<T>& values, Bind bind) {
        if (values.empty()) return absl::OkStatus();
        HS_ASSIGN_OR_RETURN(Statement row, database_->prepare(sql));
        for (const T& value : values) {
            bind(row, value);
            HS_RETURN_IF_ERROR(row.run());
        }
        return absl::OkStatus();
    }

    template <typename Key>
    absl::Status erase(const std::string& from, const std::vector<Key>& keys) {
        if (keys.empty()) return absl::OkStatus();
        HS_ASSIGN_OR_RETURN(Statement row, database_->prepare("DELETE FROM " + from));
        for (const Key& key : keys) {
            bindKey(row, key);
            HS_RETURN_IF_ERROR(row.run());
        }
        return absl::OkStatus();
    }

    std::unique_ptr<Database> database_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> openSqliteStore(const std::string& path) {
    HS_ASSIGN_OR_RETURN(std::unique_ptr<Database> database, Database::open(path));
    HS_RETURN_IF_ERROR_CTX(migrate(*database), path);
    return std::make_unique<SqliteStore>(std::move(database));
}

}  // namespace homeslice::controller
