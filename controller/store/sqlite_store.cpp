#include "controller/store/sqlite_store.h"

#include <functional>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "controller/store/schema.h"
#include "controller/store/tables.h"

namespace homeslice::controller {
namespace {

std::vector<std::string> namesOf(const std::vector<Slice>& slices) {
    std::vector<std::string> names;
    for (const Slice& slice : slices) names.push_back(slice.name);
    return names;
}

class ColumnCounter : public ColumnWriter {
public:
    int columns() const { return columns_; }

private:
    void put(const std::string& /*value*/) override { ++columns_; }
    void put(int64_t /*value*/) override { ++columns_; }

    int columns_ = 0;
};

class SqliteStore : public DurableStore {
public:
    explicit SqliteStore(std::unique_ptr<Database> database) : database_(std::move(database)) {}

    absl::StatusOr<Snapshot> load() override {
        Snapshot snapshot;
        HS_RETURN_IF_ERROR(readMeta(snapshot));
        HS_RETURN_IF_ERROR(readRows(*this, snapshot));
        return snapshot;
    }

    absl::Status apply(const Changes& changes) override {
        return inTransaction([&] { return write(changes); });
    }

    absl::Status replace(const Snapshot& snapshot, const std::vector<AuditEntry>& audit) override {
        return inTransaction([&]() -> absl::Status {
            HS_RETURN_IF_ERROR(eraseEverything());
            HS_RETURN_IF_ERROR(write(changesTo(snapshot)));
            for (const AuditEntry& entry : audit) HS_RETURN_IF_ERROR(insertAudit(*database_, entry));
            return setRevision(snapshot.revision);
        });
    }

    absl::Status record(const AuditEntry& entry) override {
        return withContext(insertAudit(*database_, entry), "store the audit log");
    }

    absl::StatusOr<std::vector<AuditEntry>> audit(uint32_t most) override { return readAudit(*database_, most); }

    // For readRows() and writeRows().
    template <typename Read, typename Keep>
    absl::Status each(const Table& table, Read read, Keep keep) {
        HS_ASSIGN_OR_RETURN(Statement rows, database_->prepare(std::string("SELECT * FROM ") + table.name));
        for (;;) {
            HS_ASSIGN_OR_RETURN(const bool more, rows.step());
            if (!more) return absl::OkStatus();
            auto value = read(rows);
            if (!value.ok()) return withContext(value.status(), std::string("table ") + table.name);
            keep(std::move(value).value());
        }
    }

    template <typename T, typename Bind>
    absl::Status put(const Table& table, const std::vector<T>& values, Bind bind) {
        if (values.empty()) return absl::OkStatus();
        HS_ASSIGN_OR_RETURN(Statement row,
                            database_->prepare("REPLACE INTO " + insertion(table, bind, values.front())));
        return runEach(row, values, bind);
    }
    // Not REPLACE: that would throw out another slice with the same number instead of failing.
    absl::Status put(const Table& table, const std::vector<Slice>& slices, void (*bind)(ColumnWriter&, const Slice&)) {
        if (slices.empty()) return absl::OkStatus();
        HS_RETURN_IF_ERROR(erase(table, namesOf(slices)));
        HS_ASSIGN_OR_RETURN(Statement row, database_->prepare("INSERT INTO " + insertion(table, bind, slices.front())));
        return runEach(row, slices, bind);
    }

    template <typename Key>
    absl::Status erase(const Table& table, const std::vector<Key>& keys) {
        if (keys.empty()) return absl::OkStatus();
        const std::string sql = std::string("DELETE FROM ") + table.name + " WHERE " + table.key;
        HS_ASSIGN_OR_RETURN(Statement row, database_->prepare(sql));
        return runEach(row, keys, [](ColumnWriter& writer, const Key& key) { bindKey(writer, key); });
    }

private:
    // "nodes VALUES (?,?)"
    template <typename T, typename Bind>
    static std::string insertion(const Table& table, Bind bind, const T& example) {
        ColumnCounter counter;
        bind(counter, example);
        std::string sql = std::string(table.name) + " VALUES (?";
        for (int i = 1; i < counter.columns(); ++i) sql += ",?";
        return sql + ")";
    }

    template <typename T, typename Bind>
    static absl::Status runEach(Statement& row, const std::vector<T>& values, Bind bind) {
        for (const T& value : values) {
            bind(row, value);
            HS_RETURN_IF_ERROR(row.run());
        }
        return absl::OkStatus();
    }

    absl::Status inTransaction(const std::function<absl::Status()>& act) {
        HS_RETURN_IF_ERROR(database_->execute("BEGIN IMMEDIATE"));
        absl::Status status = act();
        if (status.ok()) status = database_->execute("COMMIT");
        if (status.ok()) return status;
        if (const absl::Status undone = database_->execute("ROLLBACK"); !undone.ok()) {
            logWarning("roll back: {}", messageOf(undone));
        }
        return withContext(status, "store");
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
        HS_RETURN_IF_ERROR(writeRows(changes, *this));
        return changes.audit ? insertAudit(*database_, *changes.audit) : absl::OkStatus();
    }

    absl::Status eraseEverything() {
        std::string sql;
        {
            HS_ASSIGN_OR_RETURN(Statement tables,
                                database_->prepare("SELECT name FROM sqlite_master WHERE type='table' "
                                                   "AND name NOT LIKE 'sqlite_%'"));
            for (;;) {
                HS_ASSIGN_OR_RETURN(const bool more, tables.step());
                if (!more) break;
                sql += "DELETE FROM " + tables.text() + ";";
            }
        }
        return database_->execute(sql);
    }

    absl::Status setRevision(uint64_t revision) {
        HS_ASSIGN_OR_RETURN(Statement row, database_->prepare("UPDATE meta SET value=? WHERE key='revision'"));
        row.bind(std::to_string(revision));
        return row.run();
    }

    absl::Status writeMeta(const Changes& changes) {
        HS_RETURN_IF_ERROR(
            database_->execute("INSERT INTO meta VALUES ('revision', 1) "
                               "ON CONFLICT (key) DO UPDATE SET value = CAST(value AS INTEGER) + 1"));
        HS_ASSIGN_OR_RETURN(Statement row, database_->prepare("REPLACE INTO meta VALUES (?,?)"));
        if (changes.last_slice_number) {
            HS_RETURN_IF_ERROR(setMeta(row, "last_slice_number", std::to_string(*changes.last_slice_number)));
        }
        return changes.home_prefix ? setMeta(row, "home_prefix", *changes.home_prefix) : absl::OkStatus();
    }

    static absl::Status setMeta(Statement& row, const std::string& key, const std::string& value) {
        row.bind(key).bind(value);
        return row.run();
    }

    std::unique_ptr<Database> database_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<DurableStore>> openSqliteStore(const std::string& path) {
    HS_ASSIGN_OR_RETURN(std::unique_ptr<Database> database, Database::open(path));
    auto store = makeSqliteStore(std::move(database));
    return store.ok() ? std::move(store) : withContext(store.status(), path);
}

absl::StatusOr<std::unique_ptr<DurableStore>> makeSqliteStore(std::unique_ptr<Database> database) {
    HS_RETURN_IF_ERROR(migrate(*database));
    return std::make_unique<SqliteStore>(std::move(database));
}

}  // namespace homeslice::controller
