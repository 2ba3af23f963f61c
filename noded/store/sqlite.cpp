#include "noded/store/sqlite.h"

#include <fcntl.h>

#include "base/defer.h"
#include "base/file.h"
#include "base/status.h"

namespace homeslice::store {
namespace {

constexpr int kBusyTimeoutMs = 5000;

std::string columnText(sqlite3_stmt* statement, int column) {
    const void* bytes = sqlite3_column_blob(statement, column);
    const auto size = static_cast<size_t>(sqlite3_column_bytes(statement, column));
    return bytes == nullptr ? std::string() : std::string(static_cast<const char*>(bytes), size);
}

std::vector<std::string> columns(sqlite3_stmt* statement) {
    std::vector<std::string> row;
    for (int i = 0; i < sqlite3_column_count(statement); ++i) row.push_back(columnText(statement, i));
    return row;
}

absl::Status statusOf(int code, const std::string& message) {
    switch (code & 0xff) {
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
        case SQLITE_IOERR:
            return unavailable(message);
        case SQLITE_FULL:
            return resourceExhausted(message);
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
            return dataLoss(message);
        case SQLITE_CANTOPEN:
        case SQLITE_READONLY:
        case SQLITE_PERM:
            return permissionDenied(message);
        default:
            return internalError(message);
    }
}

}  // namespace

absl::StatusOr<Database> Database::open(const std::string& path) {
    // Made here, since SQLite would take the umask's word for the mode; its -wal and -shm files copy the mode.
    HS_ASSIGN_OR_RETURN(const UniqueFd created, openFile(path, O_RDWR | O_CREAT, 0600));
    sqlite3* raw = nullptr;
    const int code = sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX, nullptr);
    Database database{std::unique_ptr<sqlite3, Close>(raw)};
    if (code != SQLITE_OK) return database.failure(code, "open " + path);
    sqlite3_busy_timeout(raw, kBusyTimeoutMs);
    return database;
}

absl::Status Database::failure(int code, const std::string& what) const {
    const char* text = handle_ ? sqlite3_errmsg(handle_.get()) : sqlite3_errstr(code);
    return statusOf(code, what + ": " + text);
}

absl::Status Database::run(const std::string& sql) {
    const int code = sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr);
    return code == SQLITE_OK ? absl::OkStatus() : failure(code, sql);
}

absl::StatusOr<sqlite3_stmt*> Database::prepare(const std::string& sql) {
    Statement& statement = statements_[sql];
    if (statement) return statement.get();
    sqlite3_stmt* raw = nullptr;
    const int code = sqlite3_prepare_v3(handle_.get(), sql.c_str(), -1, SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
    statement.reset(raw);
    if (code == SQLITE_OK) return raw;
    statements_.erase(sql);
    return failure(code, sql);
}

absl::StatusOr<std::vector<std::vector<std::string>>> Database::query(const std::string& sql,
                                                                      const std::vector<std::string>& values) {
    HS_ASSIGN_OR_RETURN(sqlite3_stmt * raw, prepare(sql));
    const Defer reset([raw] {
        sqlite3_reset(raw);
        sqlite3_clear_bindings(raw);
    });
    int code = SQLITE_OK;
    for (size_t i = 0; i < values.size(); ++i) {
        code = sqlite3_bind_text64(raw, static_cast<int>(i) + 1, values[i].data(), values[i].size(), SQLITE_STATIC,
                                   SQLITE_UTF8);
        if (code != SQLITE_OK) return failure(code, sql);
    }
    std::vector<std::vector<std::string>> rows;
    while ((code = sqlite3_step(raw)) == SQLITE_ROW) rows.push_back(columns(raw));
    if (code != SQLITE_DONE) return failure(code, sql);
    return rows;
}

}  // namespace homeslice::store
