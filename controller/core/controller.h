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
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ipv6.h"
#include "controller/auth/rights.h"
#include "controller/core/node_table.h"
#include "controller/core/requests.h"
#include "controller/core/views.h"
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
    std::vector<ShareChange> shares{};
};

class OperationWatcher {
public:
    virtual ~OperationWatcher() = default;
    // Must not block nor call back.
    virtual void changed(const Operation& operation) = 0;
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
    absl::StatusOr<NodeHandle> connectNode(const Node& hello, std::shared_ptr<NodeSession> session);
    void reportFromNode(const NodeHandle& node, const NodeReport& report);
    void disconnectNode(const NodeHandle& node);
    // What an administrator says of a node.
    absl::StatusOr<NodeView> setNode(const SetNodeRequest& request);
    absl::StatusOr<Operation> drainNode(const std::string& name, const std::string& request_id);
    // Lets time pass: leases end, silent nodes stop being ready. Call about twice a second.
    void tick();
    void closeNodes(const absl::Status& why);

    // Images. The receiver must be finished.
    absl::StatusOr<ImageView> addImage(const std::string& name, const std::string& digest, Receiver& receiver);
    absl::Status removeImage(const std::string& name);

    // Slices and slivers. Codes as in controller.proto.
    absl::StatusOr<Operation> createSlice(const CreateSliceRequest& request);
    // Where createSlice() would place the slivers now.
    absl::StatusOr<Plan> planSlice(const CreateSliceRequest& request) const;
    absl::StatusOr<Operation> deleteSlice(const std::string& name, const std::string& request_id);
    absl::StatusOr<SliceView> renewSlice(const std::string& name, uint32_t lease_s);
    absl::StatusOr<Operation> moveSliver(const SliverId& id, const std::string& to_node, const std::string& request_id);
    // New limits for a slice's slivers, while they run.
    absl::StatusOr<Operation> setSlice(const std::string& name, const SliceChange& change,
                                       const std::string& request_id);
    // Of one sliver, or of all of the slice when the index is 0.
    absl::StatusOr<Operation> setFrozen(const SliverId& subject, bool frozen, const std::string& request_id);

    // People and certificates. Tokens come without the authority's fingerprint, which is the issuer's knowledge.
    absl::StatusOr<NewToken> makeNodeToken(const std::string& name, uint32_t lifetime_s);
    absl::StatusOr<NewToken> makeUserToken(const std::string& name, uint32_t lifetime_s);
    absl::StatusOr<NewToken> addUser(const std::string& name, UserRole role, uint32_t lifetime_s);
    absl::Status removeUser(const std::string& name);
    absl::Status revokeNode(const std::string& name);
    // Uses the token up. PERMISSION_DENIED unless it is good.
    absl::StatusOr<pki::Identity> redeemToken(const pki::Token& token);
    // UNAUTHENTICATED when the certificate was revoked.
    absl::Status checkIdentity(const pki::Identity& identity) const;
    absl::StatusOr<Caller> callerOf(const pki::Identity& identity) const;
    // OK as well for a slice that is not there.
    absl::Status checkSliceRight(const Caller& caller, Right right, const std::string& slice) const;
    // Empty when there is no such operation.
    std::string sliceOfOperation(const std::string& id) const;
    std::vector<User> users() const;
    absl::StatusOr<User> addUserKey(const std::string& name, const std::string& text);
    absl::StatusOr<User> removeUserKey(const std::string& name, const std::string& key);
    // Slivers that run without the ssh keys of those who may use them, as far as is known.
    std::vector<KeyDelivery> keyDeliveries() const;
    void keysDelivered(const SliverId& id, const std::string& mark);
    absl::StatusOr<SliceView> shareSlice(const std::string& name, const std::string& user, bool end);
    void recordAudit(AuditEntry entry);
    // Oldest first; 0: a thousand.
    absl::StatusOr<std::vector<AuditEntry>> auditLog(uint32_t newest) const;

    // Questions.
    std::vector<NodeView> nodes() const;
    absl::StatusOr<NodeView> node(const std::string& name) const;
    std::vector<ImageView> images() const;
    std::vector<SliceView> slices() const;
    absl::StatusOr<SliceView> slice(const std::string& name) const;
    // Of one slice, or of all when `slice` is empty.
    absl::StatusOr<std::vector<SliverView>> slivers(const std::string& slice) const;
    absl::StatusOr<SliverView> sliver(const SliverId& id) const;
    // UNAVAILABLE when the node is away.
    absl::StatusOr<NodeEndpoint> endpointOfNode(const std::string& name) const;
    absl::StatusOr<NodeEndpoint> endpointOfSliver(const SliverId& id) const;
    absl::StatusOr<std::vector<NodeEndpoint>> homeAgents() const;
    BindingOwner describeBinding(const Ipv6Address& home_address, uint32_t binding_id,
                                 const Ipv6Address& care_of_address) const;

    // Tells the watcher of the operation's present state and of each change, until it has ended or the watcher is gone.
    absl::Status watchOperation(const std::string& id, const std::weak_ptr<OperationWatcher>& watcher);

private:
    struct Watched {
        Operation last;
        std::vector<std::weak_ptr<OperationWatcher>> watchers;
    };

    Controller(const Config& config, Store& store, ImageFiles& images, Clock clock, Snapshot snapshot);

    // All private methods want the lock held.
    World world() const;
    absl::Status commit(Changes changes);
    void settleAll();
    void tellNodes();
    void renewNames();
    void tellWatchers();
    void collectImages();
    void logMoves(const Changes& changes) const;

    absl::Status checkNameFree(const std::string& slice) const;
    absl::StatusOr<const Image*> findImage(const std::string& name) const;
    absl::StatusOr<const Node*> findNode(const std::string& name) const;
    absl::StatusOr<const User*> findUser(const std::string& name) const;
    absl::StatusOr<NewToken> planToken(pki::Kind kind, const std::string& name, uint32_t lifetime_s,
                                       Changes& changes) const;
    pki::Identity planEnrolment(pki::Kind kind, const std::string& name, Changes& changes) const;
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
    absl::StatusOr<Operation> beginDeletion(const Slice& slice, const std::string& request_id);
    void endLeases();
    void endLease(const Slice& slice);

    const Config config_;
    Store& store_;
    ImageFiles& image_files_;
    const Clock clock_;

    mutable std::mutex mutex_;
    Snapshot snapshot_;
    NodeTable nodes_;
    std::shared_ptr<const NameTable> names_;
    uint64_t last_session_ = 0;
    std::map<std::string, Watched> watched_;  // by operation id
    std::set<std::string> warned_;            // slices whose lease was said to end soon
    bool keys_were_delivered_ = false;        // ever, to any sliver
};

}  // namespace homeslice::controller
