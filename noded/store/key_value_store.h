// What a node must remember across its own death: small records by table and key.
//
// Durability (SqliteStore): when put() or erase() returns OK the change survives the death of noded. It survives the
// death of the machine within kSyncDelay, and at once after sync(); see docs/adr/0008-records-and-power-loss.md.
// Changes become durable in their order. Threads: all methods may be called from any thread. Implementations:
// SqliteStore (real), MemoryStore and FailingStore (tests of the code above).
#pragma once

#include <absl/status/statusor.h>

#include <chrono>
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
    // Returns when all that was put or erased before is on stable storage.
    virtual absl::Status sync() = 0;
};

// How long the machine's death may take a change back.
inline constexpr std::chrono::milliseconds kSyncDelay{200};

// SQLite in WAL mode with synchronous=NORMAL, and a thread that syncs the WAL. Creates the file (0600).
// FAILED_PRECONDITION when a newer noded wrote it.
absl::StatusOr<std::unique_ptr<KeyValueStore>> openSqliteStore(const std::string& path);
std::unique_ptr<KeyValueStore> makeMemoryStore();
// Every call fails with UNAVAILABLE.
std::unique_ptr<KeyValueStore> makeFailingStore();

}  // namespace homeslice::store
