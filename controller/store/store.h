// What the controller must remember across its own death.
//
// apply() is one transaction: when it returns OK everything in the batch is on disk (SqliteStore), when it fails
// nothing of it is. Threads: one caller at a time (the core's lock).
#pragma once

#include <absl/status/statusor.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controller/model/model.h"

namespace homeslice::controller {

// Everything that is stored; the core keeps the same in memory.
struct Snapshot {
    uint64_t revision = 0;           // counts the batches
    uint32_t last_slice_number = 0;  // the last one given out
    std::string home_prefix;         // of the first start; empty before
    std::map<std::string, Node> nodes;
    std::map<std::string, Image> images;
    std::map<std::string, Slice> slices;
    std::map<SliverId, Sliver> slivers;
    std::map<std::string, Operation> operations;
    std::map<std::string, User> users;
    std::map<std::string, EnrolledNode> enrolled_nodes;
    std::map<std::string, JoinToken> tokens;  // by digest
    std::map<std::string, Reservation> reservations;
    std::map<std::string, Loan> loans;  // by Loan::key()

    bool operator==(const Snapshot&) const = default;
};

// A batch of rows to write (replacing those with the same key) and keys to erase.
struct Changes {
    std::optional<uint32_t> last_slice_number;
    std::optional<std::string> home_prefix;
    std::vector<Node> put_nodes;
    std::vector<Image> put_images;
    std::vector<std::string> erase_images;
    std::vector<Slice> put_slices;
    std::vector<std::string> erase_slices;
    std::vector<Sliver> put_slivers;
    std::vector<SliverId> erase_slivers;
    std::vector<Operation> put_operations;
    std::vector<std::string> erase_operations;
    std::vector<User> put_users;
    std::vector<std::string> erase_users;
    std::vector<EnrolledNode> put_enrolled_nodes;
    std::vector<std::string> erase_enrolled_nodes;
    std::vector<JoinToken> put_tokens;
    std::vector<std::string> erase_tokens;  // digests
    std::vector<Reservation> put_reservations;
    std::vector<std::string> erase_reservations;
    std::vector<Loan> put_loans;
    std::vector<std::string> erase_loans;  // keys
    std::optional<AuditEntry> audit;       // who asked for this batch; no part of the snapshot

    bool empty() const;
};

// `snapshot` with `changes` made and the revision one higher; what apply() does to the stored one. Rows are put before
// keys are erased.
void applyTo(Snapshot& snapshot, const Changes& changes);

inline constexpr uint32_t kAuditKept = 100'000;

// UNAVAILABLE of a kind of its own: a store that several controllers share is another one's now. Unless the message
// says so, whether the batch was stored is not known.
absl::Status leadLost(const std::string& message);
// Also with context added.
bool isLeadLost(const absl::Status& status);

class Store {
public:
    virtual ~Store() = default;
    virtual absl::StatusOr<Snapshot> load() = 0;
    virtual absl::Status apply(const Changes& changes) = 0;
    // An entry for what changed nothing: no batch, the revision stays.
    virtual absl::Status record(const AuditEntry& entry) = 0;
    // The newest `most` of the last kAuditKept entries, oldest first.
    virtual absl::StatusOr<std::vector<AuditEntry>> audit(uint32_t most) = 0;
};

// A store whose content can be taken over by another kind.
class DurableStore : public Store {
public:
    // Replaces everything by this, the revision too. A crash half way leaves the old content, or a store that load()
    // refuses until the replacement is repeated.
    virtual absl::Status replace(const Snapshot& snapshot, const std::vector<AuditEntry>& audit) = 0;
};

// A batch that makes this of nothing, but for the revision.
Changes changesTo(const Snapshot& snapshot);

// SQLite in WAL mode with synchronous=FULL. Creates the file (0600), migrates an older one; FAILED_PRECONDITION when a
// newer sliced wrote it, DATA_LOSS when it cannot be read.
absl::StatusOr<std::unique_ptr<DurableStore>> openSqliteStore(const std::string& path);
std::unique_ptr<DurableStore> makeMemoryStore();
// Every call fails with UNAVAILABLE.
std::unique_ptr<Store> makeFailingStore();

}  // namespace homeslice::controller
