#include "controller/store/schema.h"

#include <string>
#include <vector>

#include "base/status.h"

namespace homeslice::controller {
namespace {

// Step i makes version i+1 of version i. Steps that were released are never edited.
const std::vector<std::string>& steps() {
    static const std::vector<std::string> kSteps{
        R"sql(
        CREATE TABLE meta (
            key TEXT PRIMARY KEY,
            value TEXT NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE nodes (
            name TEXT PRIMARY KEY,
            care_of_address TEXT NOT NULL,
            api_port INTEGER NOT NULL,
            version TEXT NOT NULL,
            home_agent INTEGER NOT NULL,
            cpus INTEGER NOT NULL,
            memory_bytes INTEGER NOT NULL,
            kernel TEXT NOT NULL,
            boot_id TEXT NOT NULL,
            last_seen_us INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE images (
            name TEXT PRIMARY KEY,
            digest TEXT NOT NULL,
            size_bytes INTEGER NOT NULL,
            created_us INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE slices (
            name TEXT PRIMARY KEY,
            number INTEGER NOT NULL UNIQUE,
            image TEXT NOT NULL,
            image_digest TEXT NOT NULL,
            cpu_millis INTEGER NOT NULL,
            memory_bytes INTEGER NOT NULL,
            pids INTEGER NOT NULL,
            exposed TEXT NOT NULL,
            argv TEXT NOT NULL,
            created_us INTEGER NOT NULL,
            lease_end_us INTEGER NOT NULL,
            deleting INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE slivers (
            slice TEXT NOT NULL,
            number INTEGER NOT NULL,
            node TEXT NOT NULL,
            generation INTEGER NOT NULL,
            last_generation INTEGER NOT NULL,
            holders TEXT NOT NULL,
            move_phase TEXT NOT NULL,
            move_source TEXT NOT NULL,
            move_target TEXT NOT NULL,
            move_source_generation INTEGER NOT NULL,
            move_target_generation INTEGER NOT NULL,
            move_operation TEXT NOT NULL,
            PRIMARY KEY (slice, number)
        ) WITHOUT ROWID;
        CREATE TABLE operations (
            id TEXT PRIMARY KEY,
            kind INTEGER NOT NULL,
            slice TEXT NOT NULL,
            number INTEGER NOT NULL,
            state INTEGER NOT NULL,
            done INTEGER NOT NULL,
            total INTEGER NOT NULL,
            step TEXT NOT NULL,
            failures TEXT NOT NULL,
            started_us INTEGER NOT NULL,
            ended_us INTEGER NOT NULL,
            request_id TEXT NOT NULL
        ) WITHOUT ROWID;
    )sql",
        // What a slice's slivers have in common as one JSON text, spec/json.h.
        R"sql(
        CREATE TABLE slices_2 (
            name TEXT PRIMARY KEY,
            number INTEGER NOT NULL UNIQUE,
            template TEXT NOT NULL,
            created_us INTEGER NOT NULL,
            lease_end_us INTEGER NOT NULL,
            deleting INTEGER NOT NULL
        ) WITHOUT ROWID;
        INSERT INTO slices_2 SELECT name, number,
            json_object('image', image, 'image_digest', image_digest, 'argv', json(argv), 'exposed', json(exposed),
                        'resources', json_object('cpu_millis', cpu_millis, 'memory_bytes', memory_bytes, 'pids', pids)),
            created_us, lease_end_us, deleting FROM slices;
        DROP TABLE slices;
        ALTER TABLE slices_2 RENAME TO slices;
        ALTER TABLE slivers ADD COLUMN frozen INTEGER NOT NULL DEFAULT 0;
    )sql",
        // Labels and rules of placement, drains, ended leases.
        R"sql(
        ALTER TABLE nodes ADD COLUMN labels TEXT NOT NULL DEFAULT '{}';
        ALTER TABLE nodes ADD COLUMN cordoned INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE slices ADD COLUMN rules TEXT NOT NULL DEFAULT '{}';
        ALTER TABLE slices ADD COLUMN suspended INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE operations ADD COLUMN node TEXT NOT NULL DEFAULT '';
    )sql",
        // Users, certificates, the audit log.
        R"sql(
        CREATE TABLE users (
            name TEXT PRIMARY KEY,
            role INTEGER NOT NULL,
            enrolment TEXT NOT NULL,
            created_us INTEGER NOT NULL,
            ssh_keys TEXT NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE enrolled_nodes (
            name TEXT PRIMARY KEY,
            enrolment TEXT NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE tokens (
            digest TEXT PRIMARY KEY,
            kind INTEGER NOT NULL,
            name TEXT NOT NULL,
            expires_us INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE audit (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            time_us INTEGER NOT NULL,
            who TEXT NOT NULL,
            what TEXT NOT NULL,
            subject TEXT NOT NULL,
            outcome TEXT NOT NULL
        );
        ALTER TABLE slices ADD COLUMN owner TEXT NOT NULL DEFAULT '';
        ALTER TABLE slices ADD COLUMN members TEXT NOT NULL DEFAULT '[]';
        ALTER TABLE slivers ADD COLUMN keys_mark TEXT NOT NULL DEFAULT '';
    )sql",
        R"sql(
        ALTER TABLE slivers ADD COLUMN weight INTEGER NOT NULL DEFAULT 1;
        ALTER TABLE slivers ADD COLUMN draining INTEGER NOT NULL DEFAULT 0;
    )sql",
        R"sql(
        ALTER TABLE nodes ADD COLUMN correspondent INTEGER NOT NULL DEFAULT 0;
    )sql",
        // Quotas, reservations and loans (as JSON, see json_columns.h), lost
        // nodes.
        R"sql(
        ALTER TABLE users ADD COLUMN quota TEXT NOT NULL DEFAULT '{}';
        ALTER TABLE slices ADD COLUMN reservation TEXT NOT NULL DEFAULT '';
        ALTER TABLE slivers ADD COLUMN placed_by TEXT NOT NULL DEFAULT '';
        CREATE TABLE reservations (
            name TEXT PRIMARY KEY,
            value TEXT NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE loans (
            name TEXT PRIMARY KEY,
            value TEXT NOT NULL
        ) WITHOUT ROWID;
    )sql",
        // Home agents by an administrator's word: those that are it already stay.
        R"sql(
        ALTER TABLE enrolled_nodes ADD COLUMN home_agent INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE tokens ADD COLUMN home_agent INTEGER NOT NULL DEFAULT 0;
        UPDATE enrolled_nodes SET home_agent = 1 WHERE name IN (SELECT name FROM nodes WHERE home_agent = 1);
    )sql",
        // Who knows the key of the grants.
        R"sql(
        ALTER TABLE enrolled_nodes ADD COLUMN was_home_agent INTEGER NOT NULL DEFAULT 0;
    )sql"};
    return kSteps;
}

absl::StatusOr<int64_t> versionOf(Database& database) {
    HS_ASSIGN_OR_RETURN(Statement statement, database.prepare("PRAGMA user_version"));
    HS_RETURN_IF_ERROR(statement.step().status());
    return statement.integer();
}

absl::Status checkVersion(int64_t version) {
    if (version >= 0 && version <= presentVersion()) return absl::OkStatus();
    return failedPrecondition("the database has version " + std::to_string(version) + ", this sliced knows up to " +
                              std::to_string(presentVersion()));
}

absl::Status makeSteps(Database& database, int64_t from, int64_t to) {
    std::string sql = "BEGIN IMMEDIATE;";
    for (int64_t step = from; step < to; ++step) sql += steps()[static_cast<size_t>(step)];
    sql += "PRAGMA user_version=" + std::to_string(to) + "; COMMIT;";
    absl::Status made = database.execute(sql);
    // After a failure the transaction may be open or not; both are fine.
    if (!made.ok()) static_cast<void>(database.execute("ROLLBACK"));
    return made;
}

}  // namespace

int64_t presentVersion() { return static_cast<int64_t>(steps().size()); }

absl::Status migrate(Database& database) {
    HS_ASSIGN_OR_RETURN(const int64_t version, versionOf(database));
    if (version == presentVersion()) return absl::OkStatus();
    HS_RETURN_IF_ERROR(checkVersion(version));
    return withContext(makeSteps(database, version, presentVersion()),
                       "migrate from version " + std::to_string(version));
}

absl::Status createAsOfVersion(Database& database, int64_t version) {
    HS_RETURN_IF_ERROR(checkVersion(version));
    return makeSteps(database, 0, version);
}

}  // namespace homeslice::controller
