#include "controller/store/database.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/defer.h"
#include "base/file.h"
#include "base/status.h"

namespace homeslice::controller {
namespace {

constexpr int kBusyTimeoutMs = 2000;

absl::Status sqliteStatus(sqlite3* database, int code, const std::string& what) {
    const std::string message = what + ": " + sqlite3_errmsg(database);
    switch (code & 0xff) {
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
            return dataLoss(message);
        case SQLITE_FULL:
            return resourceExhausted(message);
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
        case SQLITE_IOERR:
            return unavailable(message);
        default:
            return internalError(message);
    }
}

}  // namespace

Statement::Statement(sqlite3* database, sqlite3_stmt* statement) : database_(database), statement_(statement) {}
Statement::~Statement() { sqlite3_finalize(statement_); }
Statement::Statement(Statement&& other) noexcept
    : database_(other.database_),
      statement_(std::exchange(other.statement_, nullptr)),
      bound_(other.bound_),
      read_(other.read_),
      bind_error_(other.bind_error_) {}

void Statement::put(const std::string& value) {
    const int code =
        sqlite3_bind_text64(statement_, ++bound_, value.data(), value.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
    if (code != SQLITE_OK) bind_error_ = code;
}

void Statement::put(int64_t value) {
    const int code = sqlite3_bind_int64(statement_, ++bound_, value);
    if (code != SQLITE_OK) bind_error_ = code;
}

absl::StatusOr<bool> Statement::step() {
    if (bind_error_ != SQLITE_OK) return error(bind_error_, "bind");
    read_ = 0;
    const int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    return error(code, "step");
}

absl::Status Statement::run() {
    const Defer rewind([this] {
        sqlite3_reset(statement_);
        bound_ = 0;
    });
    for (;;) {
        HS_ASSIGN_OR_RETURN(const bool row, step());
        if (!row) return absl::OkStatus();
    }
}

std::string Statement::text() {
    const int column = read_++;
    const unsigned char* value = sqlite3_column_text(statement_, column);
    const int size = sqlite3_column_bytes(statement_, column);
    return value == nullptr ? "" : std::string(reinterpret_cast<const char*>(value), static_cast<size_t>(size));
}

int64_t Statement::integer() { return sqlite3_column_int64(statement_, read_++); }

absl::Status Statement::error(int code, const std::string& what) const {
    return sqliteStatus(database_, code, what + " '" + sqlite3_sql(statement_) + "'");
}

absl::StatusOr<std::unique_ptr<Database>> Database::openFile(const std::string& path) {
    sqlite3* handle = nullptr;
    const int code = sqlite3_open_v2(path.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX, nullptr);
    std::unique_ptr<Database> database(new Database(handle));
    if (code != SQLITE_OK) return sqliteStatus(handle, code, "open " + path);
    sqlite3_extended_result_codes(handle, 1);
    sqlite3_busy_timeout(handle, kBusyTimeoutMs);
    return database;
}

absl::StatusOr<std::unique_ptr<Database>> Database::open(const std::string& path) {
    // SQLite creates with 0644; its -wal and -shm files take the mode of the file that is there.
    HS_RETURN_IF_ERROR(homeslice::openFile(path, O_RDWR | O_CREAT, 0600).status());
    HS_ASSIGN_OR_RETURN(std::unique_ptr<Database> database, openFile(path));
    HS_RETURN_IF_ERROR_CTX(database->execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"), path);
    return database;
}

absl::StatusOr<std::unique_ptr<Database>> Database::openExisting(const std::string& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) return errnoStatus(errno, path);
    if (info.st_uid != ::geteuid()) {
        return failedPrecondition(path + " is another user's: run this as its owner (user " +
                                  std::to_string(info.st_uid) + ")");
    }
    return openFile(path);
}

absl::StatusOr<std::unique_ptr<Database>> Database::openInMemory() { return openFile(":memory:"); }

absl::Status Database::copyTo(Database& target) {
    sqlite3_backup* const backup = sqlite3_backup_init(target.database_, "main", database_, "main");
    if (backup == nullptr) return sqliteStatus(target.database_, sqlite3_errcode(target.database_), "copy");
    sqlite3_backup_step(backup, -1);
    const int code = sqlite3_backup_finish(backup);
    return code == SQLITE_OK ? absl::OkStatus() : sqliteStatus(target.database_, code, "copy");
}

Database::~Database() { sqlite3_close_v2(database_); }

absl::Status Database::execute(const std::string& sql) {
    const int code = sqlite3_exec(database_, sql.c_str(), nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return sqliteStatus(database_, code, "execute");
    return absl::OkStatus();
}

absl::StatusOr<Statement> Database::prepare(const std::string& sql) {
    sqlite3_stmt* statement = nullptr;
    const int code = sqlite3_prepare_v2(database_, sql.c_str(), static_cast<int>(sql.size()) + 1, &statement, nullptr);
    if (code != SQLITE_OK) return sqliteStatus(database_, code, "prepare '" + sql + "'");
    return Statement(database_, statement);
}

}  // namespace homeslice::controller
