#include "controller/store/etcd/rows.h"

#include <memory>

#include "controller/store/database.h"
#include "controller/store/schema.h"
#include "controller/store/sqlite_store.h"

namespace homeslice::controller::etcd {
namespace {

bool isTableName(const std::string& name) {
    return !name.empty() && name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string::npos;
}

absl::Status insert(Database& database, const std::string& table, const std::string& text) {
    HS_ASSIGN_OR_RETURN(JsonRowReader row, JsonRowReader::parse(text));
    JsonRowReader counted = row;
    std::string sql = "INSERT INTO " + table + " VALUES (";
    for (const char* mark = "?"; !counted.atEnd(); mark = ",?") {
        sql += mark;
        counted.nextIsText() ? static_cast<void>(counted.text()) : static_cast<void>(counted.integer());
    }
    HS_ASSIGN_OR_RETURN(Statement statement, database.prepare(sql + ")"));
    while (!row.atEnd()) row.nextIsText() ? statement.bind(row.text()) : statement.bind(row.integer());
    return statement.run();
}

}  // namespace

absl::StatusOr<Snapshot> migratedRows(const RowTexts& texts, int64_t version) {
    HS_ASSIGN_OR_RETURN(std::unique_ptr<Database> database, Database::openInMemory());
    HS_RETURN_IF_ERROR(createAsOfVersion(*database, version));
    HS_RETURN_IF_ERROR(database->execute("BEGIN"));
    for (const auto& [table, rows] : texts) {
        if (!isTableName(table)) return dataLoss("'" + table + "' is no table");
        for (const std::string& row : rows) HS_RETURN_IF_ERROR_CTX(insert(*database, table, row), table);
    }
    HS_RETURN_IF_ERROR(database->execute("COMMIT"));
    HS_ASSIGN_OR_RETURN(const auto store, makeSqliteStore(std::move(database)));
    return store->load();
}

}  // namespace homeslice::controller::etcd
