// A controller for tests of the client's behaviour: real gRPC on a socket in a temporary folder, canned answers, and a
// record of what was asked.
#pragma once

#include <grpcpp/grpcpp.h>
#include <homeslice/v1/controller.grpc.pb.h>

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace homeslice::ctl {

class FakeController final : public v1::ControllerService::Service {
public:
    FakeController();
    ~FakeController() override;

    std::string address() const { return "unix:" + socketPath(); }
    std::string folder() const { return folder_; }

    // What the next calls answer. Set before they are made.
    grpc::Status refusal;  // of every unary call
    std::vector<v1::Operation> operation_states;
    std::map<std::string, std::vector<v1::Sliver>> slivers;  // by slice
    v1::SliverTemplate base;                                 // of every slice
    bool hold_operation = false;                             // does not end as long as the controller lives
    std::string log;
    // Of calls for a log, one after the other; when there are no more, `log` and `refusal`.
    struct LogScript {
        std::string log;
        grpc::Status end;
    };
    std::vector<LogScript> logs;
    // Runs in place of the command; writes to the stream and answers the exit status.
    using ExecStream = grpc::ServerReaderWriter<v1::ExecResponse, v1::ExecRequest>;
    std::function<grpc::Status(const v1::ExecStart&, ExecStream&)> exec;

    struct WatchScript {
        std::vector<v1::WatchResponse> answers;
        grpc::Status end;
    };
    std::vector<WatchScript> watches;                  // one after the other
    std::optional<grpc::Status> refuse_once;           // of the next removal of an image
    std::vector<std::vector<std::string>> user_pages;  // names; empty: one page with "alice"

    // What was asked.
    std::vector<v1::WatchRequest> watch_requests;
    v1::CreateSliceRequest created;
    int creations = 0;
    v1::MoveSliverRequest moved;
    v1::CreateSliceRequest planned;
    v1::SetNodeRequest node_set;
    std::string drained;
    v1::RenewSliceRequest renewed;
    v1::SetSliceRequest changed;
    v1::SetFrozenRequest frozen;
    std::vector<v1::LogsRequest> logs_requests;
    std::string deleted;
    v1::AddUserRequest added_user;
    v1::UserKeyRequest key;
    v1::ShareSliceRequest shared;
    v1::MakeNodeTokenRequest node_token;
    v1::SetHomeAgentRoleRequest role;
    int binding_watches = 0;
    v1::ListAuditRequest audit;
    v1::FindFlowsRequest flows;
    v1::FlowReport flow_report;  // what it answers
    v1::ListOperationsRequest listed_operations;
    std::string cancelled;
    int rebalancings = 0;
    v1::CreateReservationRequest reserved;
    v1::LendGuaranteeRequest lent;
    v1::EndLoanRequest returned;
    v1::SetUserQuotaRequest quota;
    std::string lease_note;  // of the next renewals
    std::string imported_name;
    std::string imported_data;

    void addSliver(const std::string& slice, uint32_t index, const std::string& node);
    void addOperationState(v1::OperationState state, uint32_t done, uint32_t total);

private:
    std::string socketPath() const { return folder_ + "/sliced.sock"; }

    grpc::Status ListNodes(grpc::ServerContext*, const v1::ListNodesRequest*, v1::ListNodesResponse*) override;
    grpc::Status GetNode(grpc::ServerContext*, const v1::GetNodeRequest*, v1::Node*) override;
    grpc::Status SetNode(grpc::ServerContext*, const v1::SetNodeRequest*, v1::Node*) override;
    grpc::Status DrainNode(grpc::ServerContext*, const v1::DrainNodeRequest*, v1::Operation*) override;
    grpc::Status InspectNode(grpc::ServerContext*, const v1::GetNodeRequest*, v1::InspectResponse*) override;
    grpc::Status ImportImage(grpc::ServerContext*, grpc::ServerReader<v1::ImportImageRequest>*, v1::Image*) override;
    grpc::Status ListImages(grpc::ServerContext*, const v1::ListImagesRequest*, v1::ListImagesResponse*) override;
    grpc::Status RemoveImage(grpc::ServerContext*, const v1::RemoveImageRequest*, v1::RemoveImageResponse*) override;
    grpc::Status PlanSlice(grpc::ServerContext*, const v1::CreateSliceRequest*, v1::SlicePlan*) override;
    grpc::Status CreateSlice(grpc::ServerContext*, const v1::CreateSliceRequest*, v1::Operation*) override;
    grpc::Status GetSlice(grpc::ServerContext*, const v1::GetSliceRequest*, v1::Slice*) override;
    grpc::Status ListSlices(grpc::ServerContext*, const v1::ListSlicesRequest*, v1::ListSlicesResponse*) override;
    grpc::Status RenewSlice(grpc::ServerContext*, const v1::RenewSliceRequest*, v1::Slice*) override;
    grpc::Status SetSlice(grpc::ServerContext*, const v1::SetSliceRequest*, v1::Operation*) override;
    grpc::Status SetFrozen(grpc::ServerContext*, const v1::SetFrozenRequest*, v1::Operation*) override;
    grpc::Status DeleteSlice(grpc::ServerContext*, const v1::DeleteSliceRequest*, v1::Operation*) override;
    grpc::Status ListSlivers(grpc::ServerContext*, const v1::ListSliversRequest*, v1::ListSliversResponse*) override;
    grpc::Status GetSliver(grpc::ServerContext*, const v1::GetSliverRequest*, v1::Sliver*) override;
    grpc::Status MoveSliver(grpc::ServerContext*, const v1::MoveSliverRequest*, v1::Operation*) override;
    grpc::Status Exec(grpc::ServerContext*, ExecStream*) override;
    grpc::Status Logs(grpc::ServerContext*, const v1::LogsRequest*, grpc::ServerWriter<v1::Chunk>*) override;
    grpc::Status ListBindings(grpc::ServerContext*, const v1::ListBindingsRequest*, v1::ListBindingsResponse*) override;
    grpc::Status WatchHomeBindings(grpc::ServerContext*, const v1::WatchHomeBindingsRequest*,
                                   grpc::ServerWriter<v1::HomeBindingEvent>*) override;
    grpc::Status MakeNodeToken(grpc::ServerContext*, const v1::MakeNodeTokenRequest*, v1::JoinToken*) override;
    grpc::Status RevokeNode(grpc::ServerContext*, const v1::RevokeNodeRequest*, v1::RevokeNodeResponse*) override;
    grpc::Status SetHomeAgentRole(grpc::ServerContext*, const v1::SetHomeAgentRoleRequest*,
                                  v1::SetHomeAgentRoleResponse*) override;
    grpc::Status ListUsers(grpc::ServerContext*, const v1::ListUsersRequest*, v1::ListUsersResponse*) override;
    grpc::Status AddUser(grpc::ServerContext*, const v1::AddUserRequest*, v1::JoinToken*) override;
    grpc::Status AddUserKey(grpc::ServerContext*, const v1::UserKeyRequest*, v1::User*) override;
    grpc::Status ShareSlice(grpc::ServerContext*, const v1::ShareSliceRequest*, v1::Slice*) override;
    grpc::Status FindFlows(grpc::ServerContext*, const v1::FindFlowsRequest*, v1::FlowReport*) override;
    grpc::Status ListAudit(grpc::ServerContext*, const v1::ListAuditRequest*, v1::ListAuditResponse*) override;
    grpc::Status ListOperations(grpc::ServerContext*, const v1::ListOperationsRequest*,
                                v1::ListOperationsResponse*) override;
    grpc::Status GetOperation(grpc::ServerContext*, const v1::GetOperationRequest*, v1::Operation*) override;
    grpc::Status CancelOperation(grpc::ServerContext*, const v1::CancelOperationRequest*, v1::Operation*) override;
    grpc::Status RebalanceNodes(grpc::ServerContext*, const v1::RebalanceNodesRequest*, v1::Operation*) override;
    grpc::Status PlanRebalance(grpc::ServerContext*, const v1::RebalanceNodesRequest*, v1::RebalancePlan*) override;
    grpc::Status CreateReservation(grpc::ServerContext*, const v1::CreateReservationRequest*,
                                   v1::Reservation*) override;
    grpc::Status ListReservations(grpc::ServerContext*, const v1::ListReservationsRequest*,
                                  v1::ListReservationsResponse*) override;
    grpc::Status RemoveReservation(grpc::ServerContext*, const v1::RemoveReservationRequest*,
                                   v1::RemoveReservationResponse*) override;
    grpc::Status LendGuarantee(grpc::ServerContext*, const v1::LendGuaranteeRequest*, v1::Loan*) override;
    grpc::Status ListLoans(grpc::ServerContext*, const v1::ListLoansRequest*, v1::ListLoansResponse*) override;
    grpc::Status EndLoan(grpc::ServerContext*, const v1::EndLoanRequest*, v1::EndLoanResponse*) override;
    grpc::Status GetUser(grpc::ServerContext*, const v1::GetUserRequest*, v1::User*) override;
    grpc::Status SetUserQuota(grpc::ServerContext*, const v1::SetUserQuotaRequest*, v1::User*) override;
    grpc::Status Watch(grpc::ServerContext*, const v1::WatchRequest*, grpc::ServerWriter<v1::WatchResponse>*) override;
    grpc::Status WatchOperation(grpc::ServerContext*, const v1::WatchOperationRequest*,
                                grpc::ServerWriter<v1::Operation>*) override;

    std::mutex mutex_;
    std::condition_variable released_;
    std::string folder_;
    std::unique_ptr<grpc::Server> server_;
};

// One run of slicectl.
struct Outcome {
    int exit_status = 0;
    std::string out;
    std::string err;
};

// Runs the command line (without the program's name) against `controller`. `input_fd` -1: /dev/null.
Outcome slicectl(const FakeController& controller, const std::vector<std::string>& arguments, int input_fd = -1);

}  // namespace homeslice::ctl
