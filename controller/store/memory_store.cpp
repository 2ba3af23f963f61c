#include <absl/strings/cord.h>

#include <algorithm>
#include <deque>

#include "base/status.h"
#include "controller/store/store.h"

namespace homeslice::controller {
namespace {

constexpr const char* kLeadLost = "homeslice/lead-lost";

class MemoryStore : public DurableStore {
public:
    absl::StatusOr<Snapshot> load() override { return snapshot_; }
    absl::Status apply(const Changes& changes) override {
        applyTo(snapshot_, changes);
        return changes.audit ? record(*changes.audit) : absl::OkStatus();
    }
    absl::Status record(const AuditEntry& entry) override {
        audit_.push_back(entry);
        if (audit_.size() > kAuditKept) audit_.pop_front();
        return absl::OkStatus();
    }
    absl::StatusOr<std::vector<AuditEntry>> audit(uint32_t most) override {
        const auto count = static_cast<std::ptrdiff_t>(std::min<size_t>(most, audit_.size()));
        return std::vector<AuditEntry>(audit_.end() - count, audit_.end());
    }

    absl::Status replace(const Snapshot& snapshot, const std::vector<AuditEntry>& audit) override {
        snapshot_ = snapshot;
        audit_.assign(audit.begin(), audit.end());
        return absl::OkStatus();
    }

private:
    Snapshot snapshot_;
    std::deque<AuditEntry> audit_;
};

template <typename Key, typename Value>
std::vector<Value> valuesOf(const std::map<Key, Value>& rows) {
    std::vector<Value> values;
    for (const auto& [key, value] : rows) values.push_back(value);
    return values;
}

class FailingStore : public Store {
public:
    absl::StatusOr<Snapshot> load() override { return unavailable("this store always fails"); }
    absl::Status apply(const Changes& /*changes*/) override { return unavailable("this store always fails"); }
    absl::Status record(const AuditEntry& /*entry*/) override { return unavailable("this store always fails"); }
    absl::StatusOr<std::vector<AuditEntry>> audit(uint32_t /*most*/) override {
        return unavailable("this store always fails");
    }
};

}  // namespace

absl::Status leadLost(const std::string& message) {
    absl::Status status = unavailable(message);
    status.SetPayload(kLeadLost, absl::Cord("1"));
    return status;
}

bool isLeadLost(const absl::Status& status) { return status.GetPayload(kLeadLost).has_value(); }

bool Changes::empty() const {
    return !last_slice_number && !home_prefix && put_nodes.empty() && put_images.empty() && erase_images.empty() &&
           put_slices.empty() && erase_slices.empty() && put_slivers.empty() && erase_slivers.empty() &&
           put_operations.empty() && erase_operations.empty() && put_users.empty() && erase_users.empty() &&
           put_enrolled_nodes.empty() && erase_enrolled_nodes.empty() && put_tokens.empty() && erase_tokens.empty() &&
           put_reservations.empty() && erase_reservations.empty() && put_loans.empty() && erase_loans.empty();
}

void applyTo(Snapshot& snapshot, const Changes& changes) {
    snapshot.revision += 1;
    if (changes.last_slice_number) snapshot.last_slice_number = *changes.last_slice_number;
    if (changes.home_prefix) snapshot.home_prefix = *changes.home_prefix;
    for (const Node& node : changes.put_nodes) snapshot.nodes[node.name] = node;
    for (const Image& image : changes.put_images) snapshot.images[image.name] = image;
    for (const std::string& name : changes.erase_images) snapshot.images.erase(name);
    for (const Slice& slice : changes.put_slices) snapshot.slices[slice.name] = slice;
    for (const std::string& name : changes.erase_slices) snapshot.slices.erase(name);
    for (const Sliver& sliver : changes.put_slivers) snapshot.slivers[sliver.id] = sliver;
    for (const SliverId& id : changes.erase_slivers) snapshot.slivers.erase(id);
    for (const Operation& operation : changes.put_operations) snapshot.operations[operation.id] = operation;
    for (const std::string& id : changes.erase_operations) snapshot.operations.erase(id);
    for (const User& user : changes.put_users) snapshot.users[user.name] = user;
    for (const std::string& name : changes.erase_users) snapshot.users.erase(name);
    for (const EnrolledNode& node : changes.put_enrolled_nodes) snapshot.enrolled_nodes[node.name] = node;
    for (const std::string& name : changes.erase_enrolled_nodes) snapshot.enrolled_nodes.erase(name);
    for (const JoinToken& token : changes.put_tokens) snapshot.tokens[token.digest] = token;
    for (const std::string& digest : changes.erase_tokens) snapshot.tokens.erase(digest);
    for (const Reservation& reservation : changes.put_reservations) {
        snapshot.reservations[reservation.name] = reservation;
    }
    for (const std::string& name : changes.erase_reservations) snapshot.reservations.erase(name);
    for (const Loan& loan : changes.put_loans) snapshot.loans[loan.key()] = loan;
    for (const std::string& key : changes.erase_loans) snapshot.loans.erase(key);
}

Changes changesTo(const Snapshot& snapshot) {
    Changes changes;
    changes.last_slice_number = snapshot.last_slice_number;
    if (!snapshot.home_prefix.empty()) changes.home_prefix = snapshot.home_prefix;
    changes.put_nodes = valuesOf(snapshot.nodes);
    changes.put_images = valuesOf(snapshot.images);
    changes.put_slices = valuesOf(snapshot.slices);
    changes.put_slivers = valuesOf(snapshot.slivers);
    changes.put_operations = valuesOf(snapshot.operations);
    changes.put_users = valuesOf(snapshot.users);
    changes.put_enrolled_nodes = valuesOf(snapshot.enrolled_nodes);
    changes.put_tokens = valuesOf(snapshot.tokens);
    changes.put_reservations = valuesOf(snapshot.reservations);
    changes.put_loans = valuesOf(snapshot.loans);
    return changes;
}

std::unique_ptr<DurableStore> makeMemoryStore() { return std::make_unique<MemoryStore>(); }
std::unique_ptr<Store> makeFailingStore() { return std::make_unique<FailingStore>(); }

}  // namespace homeslice::controller
