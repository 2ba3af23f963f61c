// The controller itself: applies what clients ask and what nodes report.
//
// Intent is written to the store before a node is told of it. Threads: every method may be called from any thread,
// takes one lock and does not wait for nodes; the store's fsync is the longest it holds the lock. Sessions and watchers
// are called under that lock.
#pragma once

#include <absl/status/statusor.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ipv6.h"
#include "controller/auth/rights.h"
#include "controller/core/change_feed.h"
#include "controller/core/index.h"
#include "controller/core/known_names.h"
#include "controller/core/known_nodes.h"
#include "controller/core/node_table.h"
#include "controller/core/quota.h"
#include "controller/core/rebalance.h"
#include "controller/core/requests.h"
#include "controller/core/settle.h"
#include "controller/core/views.h"
#include "controller/core/watch.h"
#include "controller/images/image_files.h"
#include "controller/model/model.h"
#include "controller/store/store.h"
#include "pki/token.h"

namespace homeslice::controller {

struct Config {
    Ipv6Prefix home_prefix;
    std::string domain = "slivers.internal";  // of slices' names
    std::chrono::seconds default_lease = std::chrono::hours(24 * 7);
    std::chrono::seconds grace = std::chrono::hours(24);  // from the end of a lease to the deletion
    std::chrono::milliseconds node_timeout = std::chrono::seconds(5);
    std::chrono::milliseconds replace_after = std::chrono::minutes(10);  // of silence: a node's slivers are placed anew
    size_t changes_kept = kChangesKept;                                  // for watchers who have missed some
    uint32_t rebalance_above = 0;  // difference of load, hundredths, above which nodes are evened out unasked; 0: never
};

struct Clock {
    std::function<Monotonic::time_point()> monotonic;
    std::function<int64_t()> utc_us;
};
Clock systemClock();

// A one-time token, which is told once.
struct NewToken {
    pki::Token token;
    int64_t expires_us = 0;
};

// Where a node's services are.
struct NodeEndpoint {
    std::string name;
    Ipv6Address address;
    uint16_t api_port = 0;
};

// What a sliver's authorized_keys should be.
struct KeyDelivery {
    SliverId id;
    NodeEndpoint node;
    std::vector<std::string> keys;
    std::string mark;  // what to remember when it has them
};

// Whose home address it is, and who serves it. Fields are empty where nothing is known.
struct BindingOwner {
    std::string slice;
    uint32_t sliver_index = 0;
    std::string node;
};

// What a slice's slivers may use, made of what they may use now. Called under the core's lock.
using ResourcesChange = std::function<absl::StatusOr<Resources>(const Resources& now)>;

// Of one sliver's part in the slice's address; what is absent stays.
struct ShareChange {
    uint32_t index = 0;  // 0: of every sliver
    std::optional<uint16_t> weight{};
    std::optional<bool> draining{};
};

// What is absent stays.
struct SliceChange {
    ResourcesChange resources{};  // null: none
    std::optional<Balance> balance{};
    std::optional<OnNodeLoss> on_node_loss{};
    std::vector<ShareChange> shares{};
};

class OperationWatcher {
public:
    virtual ~OperationWatcher() = default;
    // Must not block nor call back.
    virtual void changed(const Operation& operation) = 0;
};

struct UserView {
    User user;
    Usage usage;
};

// What is present in `limits` is set, what is named in `unlimited` has no limit any more.
struct QuotaChange {
    Quota limits;
    std::vector<std::string> unlimited;  // "slivers", "cpus", "memory", "disk"
};

struct ReservationRequest {
    Reservation wanted;              // without nodes; start_us 0: now
    uint32_t duration_s = 0;         // from its start
    uint32_t node_count = 0;         // any so many nodes, or
    std::vector<std::string> nodes;  // exactly these
    std::vector<LabelTerm> where;
};

struct ReservationView {
    Reservation reservation;
    std::vector<std::string> slices;  // that are on it
};

struct LoanView {
    Loan loan;
    std::vector<std::string> uncovered_nodes;  // where slivers of the borrower get nothing
};

struct RenewedSlice {
    SliceView view;
    std::string note;  // why the lease is shorter than what was asked for
};

// A node's connection, as given by connectNode().
struct NodeHandle {
    std::string name;
    uint64_t session = 0;
};

class Controller {
public:
    // Loads everything and goes on where an earlier run was. FAILED_PRECONDITION when the state was made for another
    // home prefix. `store` and `images` must outlive it.
    static absl::StatusOr<std::unique_ptr<Controller>> open(const Config& config, Store& store, ImageFiles& images,
                                                            Clock clock);

    // Nodes. ALREADY_EXISTS when another live node has the name; a reconnect replaces the node's old session.
    // PERMISSION_DENIED when it says that it is a home agent and is not allowed to be one.
    absl::StatusOr<NodeHandle> connectNode(const Node& hello, std::shared_ptr<NodeSession> session);
    void reportFromNode(const NodeHandle& node, const NodeReport& report);
    void disconnectNode(const NodeHandle& node);
    // What an administrator says of a node.
    absl::StatusOr<NodeView> setNode(const SetNodeRequest& request);
    absl::StatusOr<Operation> drainNode(const std::string& name, const std::string& request_id);
    absl::StatusOr<Operation> rebalanceNodes(const std::string& request_id);
    // The moves that it would begin with.
    std::vector<RebalanceStep> planRebalance() const;
    // Lets time pass: leases end, silent nodes stop being ready. Call about twice a second.
    void tick();
    void closeNodes(const absl::Status& why);
    // Where many nodes are to be told something, `wake` is called instead, under the lock: it must not block nor call
    // back. tellMore() is then to be called until it answers false, with rests in between for others. Without `wake`
    // (null) all are told at once.
    void onUntold(std::function<void()> wake);
    bool tellMore();

    // Images. An import is an operation: begun, then either its image is added, with the receiver finished, or it ends
    // without one. CANCELLED when somebody has ended it meanwhile.
    absl::StatusOr<Operation> beginImport(const std::string& name);
    void noteImported(const std::string& operation, uint64_t bytes);
    absl::StatusOr<ImageView> addImage(const std::string& name, const std::string& digest, Receiver& receiver,
                                       const std::string& operation);
    void endImport(const std::string& operation, const absl::Status& why);
    absl::Status removeImage(const std::string& name);

    // Slices and slivers. Codes as in controller.proto.
    absl::StatusOr<Operation> createSlice(const CreateSliceRequest& request);
    // Where createSlice() would place the slivers now.
    absl::StatusOr<Plan> planSlice(const CreateSliceRequest& request) const;
    absl::StatusOr<Operation> deleteSlice(const std::string& name, const std::string& request_id);
    absl::StatusOr<RenewedSlice> renewSlice(const std::string& name, uint32_t lease_s);
    absl::StatusOr<Operation> moveSliver(const SliverId& id, const std::string& to_node, const std::string& request_id);
    // New limits for a slice's slivers, while they run.
    absl::StatusOr<Operation> setSlice(const std::string& name, const SliceChange& change,
                                       const std::string& request_id);
    // Of one sliver, or of all of the slice when the index is 0.
    absl::StatusOr<Operation> setFrozen(const SliverId& subject, bool frozen, const std::string& request_id);

    // Guarantees ahead of time, and lent ones.
    absl::StatusOr<ReservationView> createReservation(const ReservationRequest& request);
    std::vector<ReservationView> reservations() const;
    absl::Status removeReservation(const std::string& name);
    absl::StatusOr<LoanView> lend(const std::string& lender, const std::string& borrower, uint32_t cpu_millis,
                                  uint32_t duration_s);
    std::vector<LoanView> loans() const;
    absl::Status endLoan(const std::string& lender, const std::string& borrower);

    // People and certificates. Tokens come without the authority's fingerprint, which is the issuer's knowledge.
    // `home_agent`: the node that joins with it may be one.
    absl::StatusOr<NewToken> makeNodeToken(const std::string& name, uint32_t lifetime_s, bool home_agent = false);
    absl::StatusOr<NewToken> makeUserToken(const std::string& name, uint32_t lifetime_s);
    absl::StatusOr<NewToken> addUser(const std::string& name, UserRole role, uint32_t lifetime_s);
    absl::Status removeUser(const std::string& name);
    absl::Status revokeNode(const std::string& name);
    // Of an enrolled node. One that is a home agent and may no more be it is disconnected.
    absl::Status setHomeAgentRole(const std::string& name, bool allowed);
    // Uses the token up. PERMISSION_DENIED unless it is good.
    absl::StatusOr<pki::Identity> redeemToken(const pki::Token& token);
    // UNAUTHENTICATED when the certificate was revoked.
    absl::Status checkIdentity(const pki::Identity& identity) const;
    absl::StatusOr<Caller> callerOf(const pki::Identity& identity) const;
    // OK as well for a slice that is not there.
    absl::Status checkSliceRight(const Caller& caller, Right right, const std::string& slice) const;
    // Empty when there is no such operation.
    std::string sliceOfOperation(const std::string& id) const;
    absl::Status checkOperationRight(const Caller& caller, const Operation& operation) const;
    std::vector<UserView> users() const;
    absl::StatusOr<UserView> user(const std::string& name) const;
    absl::StatusOr<UserView> setQuota(const std::string& name, const QuotaChange& change);
    absl::StatusOr<User> addUserKey(const std::string& name, const std::string& text);
    absl::StatusOr<User> removeUserKey(const std::string& name, const std::string& key);
    // Slivers that run without the ssh keys of those who may use them, as far as is known.
    std::vector<KeyDelivery> keyDeliveries() const;
    void keysDelivered(const SliverId& id, const std::string& mark);
    absl::StatusOr<SliceView> shareSlice(const std::string& name, const std::string& user, bool end);
    void recordAudit(AuditEntry entry);
    // Oldest first; 0: a thousand.
    absl::StatusOr<std::vector<AuditEntry>> auditLog(uint32_t newest) const;

    // Questions. Lists are in the order of their keys: at most `most`, from behind the key `after`, and of those that
    // `caller` may see; null: all.
    static constexpr size_t kAll = std::numeric_limits<size_t>::max();
    std::vector<NodeView> nodes(const std::string& after = "", size_t most = kAll) const;
    absl::StatusOr<NodeView> node(const std::string& name) const;
    std::vector<ImageView> images() const;
    std::vector<SliceView> slices(const std::string& after = "", size_t most = kAll,
                                  const Caller* caller = nullptr) const;
    absl::StatusOr<SliceView> slice(const std::string& name) const;
    // Of one slice, or of all when `slice` is empty.
    absl::StatusOr<std::vector<SliverView>> slivers(const std::string& slice, const SliverId& after = {},
                                                    size_t most = kAll, const Caller* caller = nullptr) const;
    absl::StatusOr<SliverView> sliver(const SliverId& id) const;
    // UNAVAILABLE when the node is away.
    absl::StatusOr<NodeEndpoint> endpointOfNode(const std::string& name) const;
    absl::StatusOr<NodeEndpoint> endpointOfSliver(const SliverId& id) const;
    absl::StatusOr<std::vector<NodeEndpoint>> homeAgents() const;
    BindingOwner describeBinding(const Ipv6Address& home_address, uint32_t binding_id,
                                 const Ipv6Address& care_of_address) const;

    // Watching. OUT_OF_RANGE, REVISION_GONE when what was missed is not known any more. The cursor is the watcher's;
    // `wake` is called after each change, under the lock: it must not block nor call back.
    absl::StatusOr<WatchCursor> beginWatch(const WatchRequest& request) const;
    absl::StatusOr<WatchBatch> continueWatch(WatchCursor& cursor) const;
    void onChange(std::function<void()> wake);

    // Tells the watcher of the operation's present state and of each change, until it has ended or the watcher is gone.
    absl::Status watchOperation(const std::string& id, const std::weak_ptr<OperationWatcher>& watcher);
    // With their present progress, the oldest first.
    std::vector<Operation> operations() const;
    absl::StatusOr<Operation> operation(const std::string& id) const;
    // Ends it at once and undoes what can be undone, without waiting for any node. See docs/design/operations.md.
    absl::StatusOr<Operation> cancelOperation(const std::string& id);

private:
    struct Watched {
        Operation last;
        std::vector<std::weak_ptr<OperationWatcher>> watchers;
    };
    // Which of what waits for a tick is told.
    enum class Telling { now, with_tick };

    Controller(const Config& config, Store& store, ImageFiles& images, Clock clock, Snapshot snapshot);

    // All private methods want the lock held.
    World world() const;
    absl::Status commit(Changes changes);
    void settleAll(Telling telling = Telling::now);
    void tellNodes();
    void tellNode(const std::string& name);
    const NameTable* newNames(const std::string& node);
    // What all nodes should know, to at most so many that do not yet.
    size_t tellable();  // nodes
    void spreadByTick();
    void spreadNews(size_t most);
    void tellWatchers(Telling telling);
    bool tellWatchersOf(const std::string& operation);
    absl::Status storeHello(Node node);
    void storeLastSeen();
    void collectImages();
    void logMoves(const Changes& changes) const;

    absl::Status checkNameFree(const std::string& slice) const;
    absl::StatusOr<const Image*> findImage(const std::string& name) const;
    absl::StatusOr<const Node*> findNode(const std::string& name) const;
    absl::StatusOr<const User*> findUser(const std::string& name) const;
    absl::StatusOr<NewToken> planToken(pki::Kind kind, const std::string& name, uint32_t lifetime_s,
                                       Changes& changes) const;
    pki::Identity planEnrolment(const JoinToken& token, Changes& changes) const;
    absl::StatusOr<User> changeUser(const std::string& name, const std::function<absl::Status(User&)>& change);
    absl::StatusOr<const Slice*> findSlice(const std::string& name) const;
    absl::StatusOr<const Sliver*> findSliver(const SliverId& id) const;
    absl::StatusOr<const Operation*> findRepeated(const std::string& request_id, OperationKind kind,
                                                  const SliverId& subject) const;
    const Operation* runningDeletion(const std::string& slice) const;
    absl::StatusOr<NodeEndpoint> endpointIfReady(const std::string& name) const;
    absl::StatusOr<std::vector<const Sliver*>> findSubjects(const SliverId& subject) const;
    absl::StatusOr<Plan> placeSlice(const CreateSliceRequest& request) const;
    absl::StatusOr<Changes> newSlice(const CreateSliceRequest& request) const;
    absl::Status checkReservations(const Slice& slice, uint32_t cpu_reservation_millis) const;
    absl::Status checkMove(const Sliver& sliver, const std::string& to_node) const;
    Changes planDeletion(const Slice& slice, const std::string& request_id) const;
    absl::StatusOr<Operation> beginDeletion(const Slice& slice, const std::string& request_id);
    absl::StatusOr<const Operation*> findOperation(const std::string& id) const;
    Changes planCancel(const Operation& operation) const;
    ReservationView viewReservation(const Reservation& reservation) const;
    UserView viewUser(const User& user) const;
    absl::Status checkReservationOf(const CreateSliceRequest& request) const;
    void placeLostAnew();
    void rebalanceByPolicy();
    void endPromises();
    // Something that nobody asked for, in the audit log.
    void recordEvent(const std::string& what, const std::string& subject, const std::string& text);
    void record(AuditEntry entry);
    WatchBatch drawPicture(WatchCursor& cursor) const;
    WatchBatch tellChanges(WatchCursor& cursor) const;
    uint64_t revisionTold(const WatchCursor& cursor) const;
    void noteNews(const NodeTable::News& news);
    void noteTime();
    absl::Status endInterruptedImports();
    void endLeases();
    void endLease(const Slice& slice);

    const Config config_;
    Store& store_;
    ImageFiles& image_files_;
    const Clock clock_;

    mutable std::mutex mutex_;
    Snapshot snapshot_;
    ChangeFeed feed_;
    std::map<std::string, bool> ready_nodes_;  // as the feed knows them
    Index index_{snapshot_};
    NodeTable nodes_;
    KnownNodes known_nodes_;
    std::function<void()> wake_teller_;
    KnownNames known_names_;
    Monotonic::time_point names_made_{};  // all of them
    Unsettled unsettled_;
    Awaited awaited_;
    std::set<std::string> unseen_;  // nodes that have left: when they were last seen is to be stored
    uint64_t last_session_ = 0;
    std::map<std::string, Watched> watched_;        // by operation id
    std::set<std::string> to_tell_;                 // operations that may have come on since their watchers were told
    std::set<std::string> warned_;                  // slices whose lease was said to end soon
    bool keys_were_delivered_ = false;              // ever, to any sliver
    std::map<std::string, uint64_t> import_bytes_;  // of imports under way, by operation
    Monotonic::time_point balance_looked_at_{};     // when the policy of rebalancing last looked
};

}  // namespace homeslice::controller
