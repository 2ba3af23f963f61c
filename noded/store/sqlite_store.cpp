#include <cstdlib>
#include <mutex>

#include "base/status.h"
#include "noded/store/key_value_store.h"
#include "noded/store/sqlite.h"

namespace homeslice::store {
namespace {

// Entry i takes a file of schema version i to version i + 1. Never change an entry that was released; append.
const std::vector<std::string> kMigrations = {
    "CREATE TABLE records (tab TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (tab, key)) "
    "WITHOUT ROWID",
};

class SqliteStore : public KeyValueStore {
public:
    explicit SqliteStore(Database database) : database_(std::move(database)) {}

    absl::Status put(const std::string& table, const std::string& key, const std::string& value) override {
        const std::lock_guard lock(mutex_);
        return database_.query("INSERT OR REPLACE INTO records (tab, key, value) VALUES (?, ?, ?)", {table, key, value})
            .status();
    }

    absl::Status erase(const std::string& table, const std::string& key) override {
        const std::lock_guard lock(mutex_);
        return database_.query("DELETE FROM records WHERE tab = ? AND key = ?", {table, key}).status();
    }

    absl::StatusOr<std::map<std::string, std::string>> list(const std::string& table) override {
        const std::lock_guard lock(mutex_);
        HS_ASSIGN_OR_RETURN(auto rows, database_.query("SELECT key, value FROM records WHERE tab = ?", {table}));
        std::map<std::string, std::string> records;
        for (auto& row : rows) records.emplace(std::move(row[0]), std::move(row[1]));
        return records;
    }

private:
    std::mutex mutex_;
    Database database_;
};

absl::StatusOr<size_t> schemaVersion(Database& database) {
    HS_ASSIGN_OR_RETURN(const auto rows, database.query("PRAGMA user_version"));
    if (rows.size() != 1) return dataLoss("PRAGMA user_version gave no row");
    return static_cast<size_t>(std::strtoul(rows[0][0].c_str(), nullptr, 10));
}

absl::Status migrate(Database& database) {
    HS_ASSIGN_OR_RETURN(const size_t found, schemaVersion(database));
    if (found > kMigrations.size()) {
        return failedPrecondition("written by a newer noded: schema version " + std::to_string(found) +
                                  ", this one knows " + std::to_string(kMigrations.size()));
    }
    for (size_t version = found; version < kMigrations.size(); ++version) {
        HS_RETURN_IF_ERROR(database.run("BEGIN IMMEDIATE; " + kMigrations[version] +
                                        "; PRAGMA user_version = " + std::to_string(version + 1) + "; COMMIT"));
    }
    return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<KeyValueStore>> open(const std::string& path) {
    HS_ASSIGN_OR_RETURN(Database database, Database::open(path));
    HS_RETURN_IF_ERROR(database.run("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL"));
    HS_RETURN_IF_ERROR(migrate(database));
    return std::make_unique<SqliteStore>(std::move(database));
}

}  // namespace

absl::StatusOr<std::unique_ptr<KeyValueStore>> openSqliteStore(const std::string& path) {
    auto opened = open(path);
    if (!opened.ok()) return withContext(opened.status(), "store " + path);
    return opened;
}

}  // namespace homeslice::store
