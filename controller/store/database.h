// A SQLite connection and its statements as owners with absl::Status errors. Threads: one at a time.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <string>

#include "controller/store/columns.h"

struct sqlite3;
struct sqlite3_stmt;

namespace homeslice::controller {

// A prepared statement: bind in order, then run() or step() until false. Ends before its Database.
class Statement : public ColumnWriter, public ColumnReader {
public:
    Statement(sqlite3* database, sqlite3_stmt* statement);
    ~Statement() override;
    Statement(Statement&& other) noexcept;
    Statement& operator=(Statement&&) = delete;

    // True when there is a row; then the columns can be read, in order.
    absl::StatusOr<bool> step();
    // To the end, ignoring rows; afterwards the statement can be bound anew.
    absl::Status run();

    std::string text() override;
    int64_t integer() override;

private:
    void put(const std::string& value) override;
    void put(int64_t value) override;
    absl::Status error(int code, const std::string& what) const;

    sqlite3* database_;
    sqlite3_stmt* statement_;
    int bound_ = 0;
    int read_ = 0;
    int bind_error_ = 0;
};

class Database {
public:
    // Opens or creates (0600) with WAL, synchronous=FULL and foreign keys off.
    static absl::StatusOr<std::unique_ptr<Database>> open(const std::string& path);
    // One that is there, as it is. NOT_FOUND, or FAILED_PRECONDITION when the file is another user's: SQLite would
    // leave files beside it that its owner cannot write to.
    static absl::StatusOr<std::unique_ptr<Database>> openExisting(const std::string& path);
    static absl::StatusOr<std::unique_ptr<Database>> openInMemory();
    ~Database();
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;

    // One or more statements without parameters.
    absl::Status execute(const std::string& sql);
    absl::StatusOr<Statement> prepare(const std::string& sql);
    // Replaces all of `target` by what is in this one, as of one moment, while others write here.
    absl::Status copyTo(Database& target);

private:
    explicit Database(sqlite3* database) : database_(database) {}
    static absl::StatusOr<std::unique_ptr<Database>> openFile(const std::string& path);

    sqlite3* database_;
};

}  // namespace homeslice::controller
