// The controller, as commands call it: ControllerService without gRPC's headers.
//
// Every call blocks until its answer, its deadline (DEADLINE_EXCEEDED) or the cancellation (CANCELLED, "interrupted").
// Errors are the controller's, with its one-line message; a controller that has gone is UNAVAILABLE. Thread safe.
#pragma once

#include <absl/status/statusor.h>
#include <homeslice/v1/controller.pb.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "ctl/client/address.h"
#include "ctl/client/cancellation.h"
#include "ctl/client/terminal.h"
#include "pki/files.h"
#include "pki/token.h"

namespace homeslice::ctl {

class Client {
public:
    // UNAVAILABLE within a few seconds when nobody answers there, FAILED_PRECONDITION when the certificate has expired.
    // One that is about to expire is renewed on the way. `cancellation` outlives the client.
    static absl::StatusOr<std::unique_ptr<Client>> connect(const Endpoint& endpoint, Cancellation& cancellation);
    ~Client();

    absl::StatusOr<v1::ListNodesResponse> listNodes();
    absl::StatusOr<v1::Node> getNode(const std::string& name);
    absl::StatusOr<v1::Node> setNode(const v1::SetNodeRequest& request);
    absl::StatusOr<v1::Operation> drainNode(const std::string& name);
    absl::StatusOr<v1::Operation> rebalanceNodes();
    absl::StatusOr<v1::RebalancePlan> planRebalance();
    // The node's debug dump, JSON text.
    absl::StatusOr<std::string> inspectNode(const std::string& name);

    // Uploads an OCI archive; `sent(bytes)` is called as it goes.
    absl::StatusOr<v1::Image> importImage(const std::string& name, const std::string& archive_path,
                                          const std::function<void(uint64_t)>& sent);
    absl::StatusOr<v1::ListImagesResponse> listImages();
    absl::Status removeImage(const std::string& name);

    absl::StatusOr<v1::Operation> createSlice(const v1::CreateSliceRequest& request);
    // Where createSlice() would place the slivers.
    absl::StatusOr<v1::SlicePlan> planSlice(const v1::CreateSliceRequest& request);
    absl::StatusOr<v1::ListSlicesResponse> listSlices();
    absl::StatusOr<v1::Slice> getSlice(const std::string& name);
    // `lease_s` 0: the controller's default.
    absl::StatusOr<v1::Slice> renewSlice(const std::string& name, uint32_t lease_s);
    // Changes what is present in `change`; it gets an id here.
    absl::StatusOr<v1::Operation> setSlice(v1::SetSliceRequest change);
    // Index 0: all slivers of the slice.
    absl::StatusOr<v1::Operation> setFrozen(const v1::SliverId& id, bool frozen);
    absl::StatusOr<v1::Operation> deleteSlice(const std::string& name);

    // `slice` empty: the slivers of all slices.
    absl::StatusOr<v1::ListSliversResponse> listSlivers(const std::string& slice);
    absl::StatusOr<v1::Sliver> getSliver(const v1::SliverId& id);
    absl::StatusOr<v1::Operation> moveSliver(const v1::SliverId& id, const std::string& to_node);

    absl::StatusOr<v1::ListBindingsResponse> listBindings();
    // Calls `heard` with what home agents tell, until interrupted or the controller is gone. When `begins` is called a
    // whole picture comes: the first, or one anew since other home agents are ready.
    absl::Status watchBindings(const std::function<void()>& begins,
                               const std::function<void(const v1::HomeBindingEvent&)>& heard);

    // Lifetimes of tokens in seconds; 0: the controller's default.
    absl::StatusOr<v1::JoinToken> makeNodeToken(const std::string& name, uint32_t lifetime_s, bool home_agent);
    absl::Status setHomeAgentRole(const std::string& name, bool allowed);
    absl::Status revokeNode(const std::string& name);
    absl::StatusOr<v1::ListUsersResponse> listUsers();
    // `name` empty: the caller.
    absl::StatusOr<v1::User> getUser(const std::string& name);
    absl::StatusOr<v1::User> setUserQuota(const v1::SetUserQuotaRequest& request);
    absl::StatusOr<v1::JoinToken> addUser(const std::string& name, v1::Role role, uint32_t lifetime_s);
    absl::StatusOr<v1::JoinToken> makeUserToken(const std::string& name, uint32_t lifetime_s);
    absl::Status removeUser(const std::string& name);
    // `user` empty: the caller.
    absl::StatusOr<v1::User> addUserKey(const std::string& user, const std::string& key);
    absl::StatusOr<v1::User> removeUserKey(const std::string& user, const std::string& key);
    absl::StatusOr<v1::Slice> shareSlice(const std::string& name, const std::string& user, bool end);
    // At most so many of the newest entries, oldest first; 0: the controller's default.
    absl::StatusOr<v1::ListAuditResponse> listAudit(uint32_t newest);
    absl::StatusOr<v1::FlowReport> findFlows(const v1::FindFlowsRequest& request);
    // A certificate for the token's owner, over this connection.
    absl::StatusOr<pki::Credentials> redeem(const pki::Token& token);

    absl::StatusOr<v1::Reservation> createReservation(const v1::CreateReservationRequest& request);
    absl::StatusOr<v1::ListReservationsResponse> listReservations();
    absl::Status removeReservation(const std::string& name);
    absl::StatusOr<v1::Loan> lendGuarantee(const v1::LendGuaranteeRequest& request);
    absl::StatusOr<v1::ListLoansResponse> listLoans();
    absl::Status endLoan(const std::string& borrower, const std::string& lender);

    absl::StatusOr<v1::ListOperationsResponse> listOperations(const v1::ListOperationsRequest& request);
    absl::StatusOr<v1::Operation> getOperation(const std::string& id);
    absl::StatusOr<v1::Operation> cancelOperation(const std::string& id);
    // Follows an operation until it has ended, through a restart of the controller too. `changed` is called with every
    // state; DEADLINE_EXCEEDED after `timeout`.
    absl::StatusOr<v1::Operation> watchOperation(const std::string& id, std::chrono::milliseconds timeout,
                                                 const std::function<void(const v1::Operation&)>& changed);

    // Watches until interrupted (CANCELLED), over the loss of connections and of controllers too: `told` gets each
    // answer, with `anew` for the first of a picture that begins anew. OUT_OF_RANGE when the revision that `request`
    // begins with is not kept any more.
    absl::Status watch(v1::WatchRequest request, const std::function<void(const v1::WatchResponse&, bool anew)>& told);

    // The log of a sliver, in pieces; with `follow`, until the sliver is removed from its node, and over the loss of
    // connections, nodes and controllers too: `reconnect` is called before pieces come that begin anew, and answers
    // since when (Unix microseconds); nothing: as asked for.
    absl::Status logs(v1::LogsRequest request, const std::function<void(const std::string&)>& sink,
                      const std::function<std::optional<int64_t>()>& reconnect);

    // What is passed on to a command.
    struct ExecInput {
        int fd = -1;                            // -1: its input is empty
        const RawTerminal* terminal = nullptr;  // of `fd`: its sizes are passed on, and its detach keys are heeded
    };
    // Runs a command and returns its exit status (0 for one that is detached from the start); nothing when the user
    // detached. The sinks are called from the calling thread.
    absl::StatusOr<std::optional<int>> exec(const v1::ExecStart& start, const ExecInput& input,
                                            const std::function<void(const std::string&)>& stdout_sink,
                                            const std::function<void(const std::string&)>& stderr_sink);

private:
    struct Impl;
    explicit Client(std::unique_ptr<Impl> impl);

    std::unique_ptr<Impl> impl_;
};

}  // namespace homeslice::ctl
