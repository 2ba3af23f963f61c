// What clients call. Each handler converts, asks the core, converts back; streams and relays have files of their own.
#pragma once

#include <grpcpp/grpcpp.h>

#include "controller/api/node_clients.h"
#include "controller/core/controller.h"
#include "controller/images/image_files.h"
#include "homeslice/v1/controller.grpc.pb.h"

namespace homeslice::controller {

class ControllerApi : public v1::ControllerService::CallbackService {
public:
    ControllerApi(Controller& controller, ImageFiles& images) : controller_(controller), images_(images) {}

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

    Unary* ListBindings(Context* context, const v1::ListBindingsRequest* request,
                        v1::ListBindingsResponse* response) override;
    grpc::ServerWriteReactor<v1::Operation>* WatchOperation(Context* context,
                                                            const v1::WatchOperationRequest* request) override;

private:
    Controller& controller_;
    ImageFiles& images_;
    NodeClients clients_;
};

}  // namespace homeslice::controller
