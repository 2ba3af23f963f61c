// What clients call. Each handler is admitted by the gate, converts, asks the core, converts back; streams and relays
// have files of their own.
#pragma once

#include <grpcpp/grpcpp.h>

#include "controller/api/binding_streams.h"
#include "controller/api/gate.h"
#include "controller/api/key_courier.h"
#include "controller/api/node_clients.h"
#include "controller/api/pager.h"
#include "controller/api/watch_hub.h"
#include "controller/auth/issuer.h"
#include "controller/core/controller.h"
#include "controller/images/image_files.h"
#include "homeslice/v1/controller.grpc.pb.h"
#include "pki/tls/credentials.h"

namespace homeslice::controller {

class ControllerApi : public v1::ControllerService::CallbackService {
public:
    struct Parts {
        Controller& controller;
        ImageFiles& images;
        const Gate& gate;
        const Issuer& issuer;
        WatchHub& watches;
        std::shared_ptr<tls::Credentials> credentials;  // for the nodes
        Switchboard& board;
    };
    // What `parts` refers to outlives this.
    explicit ControllerApi(const Parts& parts)
        : controller_(parts.controller),
          images_(parts.images),
          gate_(parts.gate),
          issuer_(parts.issuer),
          watches_(parts.watches),
          clients_(parts.credentials, parts.board),
          courier_(parts.controller, clients_),
          binding_streams_(parts.controller, clients_) {}

    void tick() {
        courier_.tick();
        binding_streams_.tick();
    }

    using Context = grpc::CallbackServerContext;
    using Unary = grpc::ServerUnaryReactor;

    Unary* ListNodes(Context* context, const v1::ListNodesRequest* request, v1::ListNodesResponse* response) override;
    Unary* GetNode(Context* context, const v1::GetNodeRequest* request, v1::Node* response) override;
    Unary* SetNode(Context* context, const v1::SetNodeRequest* request, v1::Node* response) override;
    Unary* DrainNode(Context* context, const v1::DrainNodeRequest* request, v1::Operation* response) override;
    Unary* InspectNode(Context* context, const v1::GetNodeRequest* request, v1::InspectResponse* response) override;

    grpc::ServerReadReactor<v1::ImportImageRequest>* ImportImage(Context* context, v1::Image* response) override;
    Unary* ListImages(Context* context, const v1::ListImagesRequest* request,
                      v1::ListImagesResponse* response) override;
    Unary* RemoveImage(Context* context, const v1::RemoveImageRequest* request,
                       v1::RemoveImageResponse* response) override;

    Unary* PlanSlice(Context* context, const v1::CreateSliceRequest* request, v1::SlicePlan* response) override;
    Unary* CreateSlice(Context* context, const v1::CreateSliceRequest* request, v1::Operation* response) override;
    Unary* ListSlices(Context* context, const v1::ListSlicesRequest* request,
                      v1::ListSlicesResponse* response) override;
    Unary* GetSlice(Context* context, const v1::GetSliceRequest* request, v1::Slice* response) override;
    Unary* RenewSlice(Context* context, const v1::RenewSliceRequest* request, v1::Slice* response) override;
    Unary* SetSlice(Context* context, const v1::SetSliceRequest* request, v1::Operation* response) override;
    Unary* SetFrozen(Context* context, const v1::SetFrozenRequest* request, v1::Operation* response) override;
    Unary* DeleteSlice(Context* context, const v1::DeleteSliceRequest* request, v1::Operation* response) override;

    Unary* ListSlivers(Context* context, const v1::ListSliversRequest* request,
                       v1::ListSliversResponse* response) override;
    Unary* GetSliver(Context* context, const v1::GetSliverRequest* request, v1::Sliver* response) override;
    Unary* MoveSliver(Context* context, const v1::MoveSliverRequest* request, v1::Operation* response) override;

    grpc::ServerBidiReactor<v1::ExecRequest, v1::ExecResponse>* Exec(Context* context) override;
    grpc::ServerWriteReactor<v1::Chunk>* Logs(Context* context, const v1::LogsRequest* request) override;

    grpc::ServerWriteReactor<v1::WatchResponse>* Watch(Context* context, const v1::WatchRequest* request) override;

    Unary* ListBindings(Context* context, const v1::ListBindingsRequest* request,
                        v1::ListBindingsResponse* response) override;
    grpc::ServerWriteReactor<v1::HomeBindingEvent>* WatchHomeBindings(
        Context* context, const v1::WatchHomeBindingsRequest* request) override;
    grpc::ServerWriteReactor<v1::Operation>* WatchOperation(Context* context,
                                                            const v1::WatchOperationRequest* request) override;

    // operations_service.cpp
    Unary* ListOperations(Context* context, const v1::ListOperationsRequest* request,
                          v1::ListOperationsResponse* response) override;
    Unary* GetOperation(Context* context, const v1::GetOperationRequest* request, v1::Operation* response) override;
    Unary* CancelOperation(Context* context, const v1::CancelOperationRequest* request,
                           v1::Operation* response) override;
    Unary* RebalanceNodes(Context* context, const v1::RebalanceNodesRequest* request, v1::Operation* response) override;
    Unary* PlanRebalance(Context* context, const v1::RebalanceNodesRequest* request,
                         v1::RebalancePlan* response) override;

    // capacity_service.cpp
    Unary* CreateReservation(Context* context, const v1::CreateReservationRequest* request,
                             v1::Reservation* response) override;
    Unary* ListReservations(Context* context, const v1::ListReservationsRequest* request,
                            v1::ListReservationsResponse* response) override;
    Unary* RemoveReservation(Context* context, const v1::RemoveReservationRequest* request,
                             v1::RemoveReservationResponse* response) override;
    Unary* LendGuarantee(Context* context, const v1::LendGuaranteeRequest* request, v1::Loan* response) override;
    Unary* ListLoans(Context* context, const v1::ListLoansRequest* request, v1::ListLoansResponse* response) override;
    Unary* EndLoan(Context* context, const v1::EndLoanRequest* request, v1::EndLoanResponse* response) override;
    Unary* SetUserQuota(Context* context, const v1::SetUserQuotaRequest* request, v1::User* response) override;

    // People and certificates: people_service.cpp.
    Unary* MakeNodeToken(Context* context, const v1::MakeNodeTokenRequest* request, v1::JoinToken* response) override;
    Unary* RevokeNode(Context* context, const v1::RevokeNodeRequest* request,
                      v1::RevokeNodeResponse* response) override;
    Unary* SetHomeAgentRole(Context* context, const v1::SetHomeAgentRoleRequest* request,
                            v1::SetHomeAgentRoleResponse* response) override;
    Unary* GetUser(Context* context, const v1::GetUserRequest* request, v1::User* response) override;
    Unary* ListUsers(Context* context, const v1::ListUsersRequest* request, v1::ListUsersResponse* response) override;
    Unary* AddUser(Context* context, const v1::AddUserRequest* request, v1::JoinToken* response) override;
    Unary* MakeUserToken(Context* context, const v1::MakeUserTokenRequest* request, v1::JoinToken* response) override;
    Unary* RemoveUser(Context* context, const v1::RemoveUserRequest* request,
                      v1::RemoveUserResponse* response) override;
    Unary* AddUserKey(Context* context, const v1::UserKeyRequest* request, v1::User* response) override;
    Unary* RemoveUserKey(Context* context, const v1::UserKeyRequest* request, v1::User* response) override;
    Unary* ShareSlice(Context* context, const v1::ShareSliceRequest* request, v1::Slice* response) override;
    Unary* FindFlows(Context* context, const v1::FindFlowsRequest* request, v1::FlowReport* response) override;
    Unary* ListAudit(Context* context, const v1::ListAuditRequest* request, v1::ListAuditResponse* response) override;

private:
    absl::Status listAudit(const v1::ListAuditRequest& request, const Pager& pager,
                           v1::ListAuditResponse& response) const;
    absl::Status fill(const absl::StatusOr<NewToken>& token, v1::JoinToken& response) const;

    Controller& controller_;
    ImageFiles& images_;
    const Gate& gate_;
    const Issuer& issuer_;
    WatchHub& watches_;
    NodeClients clients_;
    KeyCourier courier_;
    BindingStreams binding_streams_;
};

}  // namespace homeslice::controller
