// A SQLite connection and its statements as owners with absl::Status errors. Threads: one at a time.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <string>

struct sqlite3;
struct sqlite3_stmt;

namespace homeslice::controller {

// A prepared statement: bind in order, then run() or step() until false. Ends before its Database.
class Statement {
public:
    Statement(sqlite3* database, sqlite3_stmt* statement);
    ~Statement();
    Statement(Statement&& other) noexcept;
    Statement& operator=(Statement&&) = delete;

    Statement& bind(const std::string& value);
    Statement& bind(int64_t value);
    Statement& bind(uint64_t value) { return bind(static_cast<int64_t>(value)); }
    Statement& bind(uint32_t value) { return bind(static_cast<int64_t>(value)); }

    // True when there is a row; then the columns can be read, in order.
    absl::StatusOr<bool> step();
    // To the end, ignoring rows; afterwards the statement can be bound anew.
    absl::Status run();

    std::string text();
    int64_t integer();
    uint64_t unsignedInteger() { return static_cast<uint64_t>(integer()); }
    // Of the values that come from 32-bit ones.
    uint32_t small() { return static_cast<uint32_t>(integer()); }

private:
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
    ~Database();
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;

    // One or more statements without parameters.
    absl::Status execute(const std::string& sql);
    absl::StatusOr<Statement> prepare(const std::string& sql);

private:
    explicit Database(sqlite3* database) : database_(database) {}

    sqlite3* database_;
};

}  // namespace homeslice::controller
