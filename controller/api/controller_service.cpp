#include "controller/api/controller_service.h"

#include "base/status.h"
#include "controller/api/convert.h"
#include "controller/api/image_import.h"
#include "controller/api/node_questions.h"
#include "controller/api/operation_stream.h"
#include "controller/api/relay.h"

namespace homeslice::controller {
namespace {

grpc::ServerUnaryReactor* finish(grpc::CallbackServerContext* context, const absl::Status& status) {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(toGrpc(status));
    return reactor;
}

// One value, or the error.
template <typename Value, typename Message>
grpc::ServerUnaryReactor* answer(grpc::CallbackServerContext* context, const absl::StatusOr<Value>& value,
                                 Message* response) {
    if (value.ok()) toProto(*value, *response);
    return finish(context, value.status());
}

}  // namespace

using Unary = ControllerApi::Unary;

Unary* ControllerApi::ListNodes(Context* context, const v1::ListNodesRequest* /*request*/,
                                v1::ListNodesResponse* response) {
    for (const NodeView& view : controller_.nodes()) toProto(view, *response->add_nodes());
    return finish(context, absl::OkStatus());
}

Unary* ControllerApi::GetNode(Context* context, const v1::GetNodeRequest* request, v1::Node* response) {
    return answer(context, controller_.node(request->name()), response);
}

Unary* ControllerApi::InspectNode(Context* /*context*/, const v1::GetNodeRequest* request,
                                  v1::InspectResponse* response) {
    return inspectNode(controller_, clients_, request->name(), *response);
}

Unary* ControllerApi::SetNode(Context* context, const v1::SetNodeRequest* request, v1::Node* response) {
    return answer(context, controller_.setNode(fromSetNode(*request)), response);
}

Unary* ControllerApi::DrainNode(Context* context, const v1::DrainNodeRequest* request, v1::Operation* response) {
    return answer(context, controller_.drainNode(request->name(), request->request_id()), response);
}

grpc::ServerReadReactor<v1::ImportImageRequest>* ControllerApi::ImportImage(Context* /*context*/, v1::Image* response) {
    return importImage(controller_, images_, *response);
}

Unary* ControllerApi::ListImages(Context* context, const v1::ListImagesRequest* /*request*/,
                                 v1::ListImagesResponse* response) {
    for (const ImageView& view : controller_.images()) toProto(view, *response->add_images());
    return finish(context, absl::OkStatus());
}

Unary* ControllerApi::RemoveImage(Context* context, const v1::RemoveImageRequest* request,
                                  v1::RemoveImageResponse* /*response*/) {
    return finish(context, controller_.removeImage(request->name()));
}

Unary* ControllerApi::CreateSlice(Context* context, const v1::CreateSliceRequest* request, v1::Operation* response) {
    const auto converted = fromCreateSlice(*request);
    if (!converted.ok()) return finish(context, converted.status());
    return answer(context, controller_.createSlice(*converted), response);
}

Unary* ControllerApi::PlanSlice(Context* context, const v1::CreateSliceRequest* request, v1::SlicePlan* response) {
    const auto converted = fromCreateSlice(*request);
    if (!converted.ok()) return finish(context, converted.status());
    return answer(context, controller_.planSlice(*converted), response);
}

Unary* ControllerApi::ListSlices(Context* context, const v1::ListSlicesRequest* /*request*/,
                                 v1::ListSlicesResponse* response) {
    for (const SliceView& view : controller_.slices()) toProto(view, *response->add_slices());
    return finish(context, absl::OkStatus());
}

Unary* ControllerApi::GetSlice(Context* context, const v1::GetSliceRequest* request, v1::Slice* response) {
    return answer(context, controller_.slice(request->name()), response);
}

Unary* ControllerApi::RenewSlice(Context* context, const v1::RenewSliceRequest* request, v1::Slice* response) {
    return answer(context, controller_.renewSlice(request->name(), request->lease_s()), response);
}

Unary* ControllerApi::SetSlice(Context* context, const v1::SetSliceRequest* request, v1::Operation* response) {
    const auto change = fromResources(request->resources());
    if (!change.ok()) return finish(context, change.status());
    return answer(context, controller_.setSlice(request->name(), *change, request->request_id()), response);
}

Unary* ControllerApi::SetFrozen(Context* context, const v1::SetFrozenRequest* request, v1::Operation* response) {
    return answer(context, controller_.setFrozen(fromSliverId(request->id()), request->frozen(), request->request_id()),
                  response);
}

Unary* ControllerApi::DeleteSlice(Context* context, const v1::DeleteSliceRequest* request, v1::Operation* response) {
    return answer(context, controller_.deleteSlice(request->name(), request->request_id()), response);
}

Unary* ControllerApi::ListSlivers(Context* context, const v1::ListSliversRequest* request,
                                  v1::ListSliversResponse* response) {
    const auto views = controller_.slivers(request->slice());
    if (!views.ok()) return finish(context, views.status());
    for (const SliverView& view : *views) toProto(view, *response->add_slivers());
    return finish(context, absl::OkStatus());
}

Unary* ControllerApi::GetSliver(Context* context, const v1::GetSliverRequest* request, v1::Sliver* response) {
    return answer(context, controller_.sliver(fromSliverId(request->id())), response);
}

Unary* ControllerApi::MoveSliver(Context* context, const v1::MoveSliverRequest* request, v1::Operation* response) {
    return answer(context,
                  controller_.moveSliver(fromSliverId(request->id()), request->to_node(), request->request_id()),
                  response);
}

grpc::ServerBidiReactor<v1::ExecRequest, v1::ExecResponse>* ControllerApi::Exec(Context* /*context*/) {
    return relayExec(controller_, clients_);
}

grpc::ServerWriteReactor<v1::Chunk>* ControllerApi::Logs(Context* /*context*/, const v1::LogsRequest* request) {
    return relayLogs(controller_, clients_, *request);
}

Unary* ControllerApi::ListBindings(Context* /*context*/, const v1::ListBindingsRequest* /*request*/,
                                   v1::ListBindingsResponse* response) {
    return listBindings(controller_, clients_, *response);
}

grpc::ServerWriteReactor<v1::Operation>* ControllerApi::WatchOperation(Context* /*context*/,
                                                                       const v1::WatchOperationRequest* request) {
    return streamOperation(controller_, request->id());
}

}  // namespace homeslice::controller
