#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <utility>

#include "base/file.h"
#include "base/log.h"
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

// `wal`: the file that changes are appended to. SQLite syncs it too, before it moves changes on to the database.
class SqliteStore : public KeyValueStore {
public:
    SqliteStore(Database database, UniqueFd wal)
        : database_(std::move(database)), wal_(std::move(wal)), syncer_([this] { syncBehind(); }) {}

    ~SqliteStore() override {
        {
            const std::lock_guard lock(mutex_);
            ending_ = true;
        }
        changed_.notify_all();
        syncer_.join();
        if (unsynced_) sync().IgnoreError();  // it was best effort all the time
    }

    absl::Status put(const std::string& table, const std::string& key, const std::string& value) override {
        return change("INSERT OR REPLACE INTO records (tab, key, value) VALUES (?, ?, ?)", {table, key, value});
    }

    absl::Status erase(const std::string& table, const std::string& key) override {
        return change("DELETE FROM records WHERE tab = ? AND key = ?", {table, key});
    }

    absl::StatusOr<std::map<std::string, std::string>> list(const std::string& table) override {
        const std::lock_guard lock(mutex_);
        HS_ASSIGN_OR_RETURN(auto rows, database_.query("SELECT key, value FROM records WHERE tab = ?", {table}));
        std::map<std::string, std::string> records;
        for (auto& row : rows) records.emplace(std::move(row[0]), std::move(row[1]));
        return records;
    }

    absl::Status sync() override {
        if (::fdatasync(wal_.get()) != 0) return errnoStatus(errno, "fdatasync of the store");
        return absl::OkStatus();
    }

private:
    absl::Status change(const std::string& sql, const std::vector<std::string>& values) {
        {
            const std::lock_guard lock(mutex_);
            HS_RETURN_IF_ERROR(database_.query(sql, values).status());
            if (std::exchange(unsynced_, true)) return absl::OkStatus();
        }
        changed_.notify_all();
        return absl::OkStatus();
    }

    // A moment after a change, so that one sync does for all that come together.
    void syncBehind() {
        std::unique_lock lock(mutex_);
        for (;;) {
            changed_.wait(lock, [this] { return ending_ || unsynced_; });
            changed_.wait_for(lock, kSyncDelay, [this] { return ending_; });
            if (ending_) return;
            unsynced_ = false;
            lock.unlock();
            if (const absl::Status status = sync(); !status.ok()) logError("{}", messageOf(status));
            lock.lock();
        }
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    Database database_;
    const UniqueFd wal_;
    bool unsynced_ = false;
    bool ending_ = false;
    std::thread syncer_;  // last: it uses all the others
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
    HS_RETURN_IF_ERROR(database.run("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL"));
    HS_RETURN_IF_ERROR(migrate(database));
    HS_ASSIGN_OR_RETURN(UniqueFd wal, openFile(path + "-wal", O_RDONLY));
    return std::make_unique<SqliteStore>(std::move(database), std::move(wal));
}

}  // namespace

absl::StatusOr<std::unique_ptr<KeyValueStore>> openSqliteStore(const std::string& path) {
    auto opened = open(path);
    if (!opened.ok()) return withContext(opened.status(), "store " + path);
    return opened;
}

}  // namespace homeslice::store
