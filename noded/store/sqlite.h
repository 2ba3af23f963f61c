// SQLite's C handles as values. Threads: one caller at a time per Database (the statements of it included).
#pragma once

#include <absl/status/statusor.h>
#include <sqlite3.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace homeslice::store {

class Database {
public:
    // Creates the file with mode 0600.
    static absl::StatusOr<Database> open(const std::string& path);

    // One or more statements without parameters or rows.
    absl::Status run(const std::string& sql);
    // One statement with its `?` bound to `values` as blobs-in-text; every row, columns as text.
    absl::StatusOr<std::vector<std::vector<std::string>>> query(const std::string& sql,
                                                                const std::vector<std::string>& values = {});

private:
    struct Close {
        void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
    };
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
    };
    using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;
    absl::StatusOr<sqlite3_stmt*> prepare(const std::string& sql);
    explicit Database(std::unique_ptr<sqlite3, Close> handle) : handle_(std::move(handle)) {}
    absl::Status failure(int code, const std::string& what) const;

    std::unique_ptr<sqlite3, Close> handle_;
    std::map<std::string, Statement> statements_;  // prepared once; after handle_, which they use
};

}  // namespace homeslice::store
