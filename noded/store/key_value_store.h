// What a node must remember across its own death: small records by table and key.
//
// Durability: when put() or erase() returns OK the change is on disk (SqliteStore). Threads: all methods may be called
// from any thread. Implementations: SqliteStore (real), MemoryStore and FailingStore (tests of the code above).
#pragma once

#include <absl/status/statusor.h>

#include <map>
#include <memory>
#include <string>

namespace homeslice::store {

class KeyValueStore {
public:
    virtual ~KeyValueStore() = default;
    virtual absl::Status put(const std::string& table, const std::string& key, const std::string& value) = 0;
    // Erasing what is not there is OK.
    virtual absl::Status erase(const std::string& table, const std::string& key) = 0;
    // Everything in `table`, by key.
    virtual absl::StatusOr<std::map<std::string, std::string>> list(const std::string& table) = 0;
};

// SQLite in WAL mode with synchronous=FULL. Creates the file (0600). FAILED_PRECONDITION when a newer noded wrote it.
absl::StatusOr<std::unique_ptr<KeyValueStore>> openSqliteStore(const std::string& path);
std::unique_ptr<KeyValueStore> makeMemoryStore();
// Every call fails with UNAVAILABLE.
std::unique_ptr<KeyValueStore> makeFailingStore();

}  // namespace homeslice::store
