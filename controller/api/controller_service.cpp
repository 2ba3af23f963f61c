#include "controller/api/controller_service.h"

#include <charconv>

#include "base/status.h"
#include "controller/api/answer.h"
#include "controller/api/convert.h"
#include "controller/api/flow_question.h"
#include "controller/api/image_import.h"
#include "controller/api/node_questions.h"
#include "controller/api/operation_stream.h"
#include "controller/api/refused.h"
#include "controller/api/relay.h"

namespace homeslice::controller {
namespace {

// Of a right that is about nothing in particular.
const std::string kNothing;

// "web/2", the key of a page of slivers.
absl::StatusOr<SliverId> sliverOf(const std::string& key) {
    const size_t slash = key.find('/');
    uint32_t index = 0;
    const char* const end = key.data() + key.size();
    if (slash == std::string::npos || std::from_chars(key.data() + slash + 1, end, index).ptr != end) {
        return Pager::badToken();
    }
    return SliverId{key.substr(0, slash), index};
}

}  // namespace

using Unary = ControllerApi::Unary;

Unary* ControllerApi::ListNodes(Context* context, const v1::ListNodesRequest* request,
                                v1::ListNodesResponse* response) {
    return answerPage(gate_, context, __func__, *request, kNothing, [&](const Caller&, const Pager& pager) {
        const auto views = controller_.nodes(pager.after(), pager.most());
        pager.fill(
            views.begin(), views.end(), [](const NodeView& view) { return view.node.name; },
            adder(response->mutable_nodes()), *response);
        return absl::OkStatus();
    });
}

Unary* ControllerApi::GetNode(Context* context, const v1::GetNodeRequest* request, v1::Node* response) {
    return answer(gate_, context, __func__, request->name(),
                  [&](const Caller&) { return filled(controller_.node(request->name()), response); });
}

Unary* ControllerApi::InspectNode(Context* context, const v1::GetNodeRequest* request, v1::InspectResponse* response) {
    const auto caller = gate_.admit(*context, __func__, request->name());
    if (!caller.ok()) return finish(context, caller.status());
    return inspectNode(controller_, clients_, request->name(), *response);
}

Unary* ControllerApi::SetNode(Context* context, const v1::SetNodeRequest* request, v1::Node* response) {
    return change(gate_, context, __func__, request->name(),
                  [&](const Caller&) { return filled(controller_.setNode(fromSetNode(*request)), response); });
}

Unary* ControllerApi::DrainNode(Context* context, const v1::DrainNodeRequest* request, v1::Operation* response) {
    return change(gate_, context, __func__, request->name(), [&](const Caller&) {
        return filled(controller_.drainNode(request->name(), request->request_id()), response);
    });
}

grpc::ServerReadReactor<v1::ImportImageRequest>* ControllerApi::ImportImage(Context* context, v1::Image* response) {
    const auto caller = gate_.admit(*context, __func__, kNothing);
    if (!caller.ok()) return new Refused<grpc::ServerReadReactor<v1::ImportImageRequest>>(caller.status());
    return importImage(gate_, *caller, images_, *response);
}

Unary* ControllerApi::ListImages(Context* context, const v1::ListImagesRequest* request,
                                 v1::ListImagesResponse* response) {
    return answerPage(gate_, context, __func__, *request, kNothing, [&](const Caller&, const Pager& pager) {
        pager.fillSorted(
            controller_.images(), [](const ImageView& view) { return view.image.name; },
            adder(response->mutable_images()), *response);
        return absl::OkStatus();
    });
}

Unary* ControllerApi::RemoveImage(Context* context, const v1::RemoveImageRequest* request,
                                  v1::RemoveImageResponse* /*response*/) {
    return change(gate_, context, __func__, request->name(),
                  [&](const Caller&) { return controller_.removeImage(request->name()); });
}

Unary* ControllerApi::CreateSlice(Context* context, const v1::CreateSliceRequest* request, v1::Operation* response) {
    return change(gate_, context, __func__, request->name(), [&](const Caller& caller) -> absl::Status {
        HS_ASSIGN_OR_RETURN(CreateSliceRequest converted, fromCreateSlice(*request));
        converted.owner = caller.name;
        return filled(controller_.createSlice(converted), response);
    });
}

Unary* ControllerApi::PlanSlice(Context* context, const v1::CreateSliceRequest* request, v1::SlicePlan* response) {
    return answer(gate_, context, __func__, request->name(), [&](const Caller& caller) -> absl::Status {
        HS_ASSIGN_OR_RETURN(CreateSliceRequest converted, fromCreateSlice(*request));
        converted.owner = caller.name;
        return filled(controller_.planSlice(converted), response);
    });
}

Unary* ControllerApi::ListSlices(Context* context, const v1::ListSlicesRequest* request,
                                 v1::ListSlicesResponse* response) {
    return answerPage(gate_, context, __func__, *request, kNothing, [&](const Caller& caller, const Pager& pager) {
        const auto views = controller_.slices(pager.after(), pager.most(), &caller);
        pager.fill(
            views.begin(), views.end(), [](const SliceView& view) { return view.slice.name; },
            adder(response->mutable_slices()), *response);
        return absl::OkStatus();
    });
}

Unary* ControllerApi::GetSlice(Context* context, const v1::GetSliceRequest* request, v1::Slice* response) {
    return answer(gate_, context, __func__, request->name(),
                  [&](const Caller&) { return filled(controller_.slice(request->name()), response); });
}

Unary* ControllerApi::RenewSlice(Context* context, const v1::RenewSliceRequest* request, v1::Slice* response) {
    return change(gate_, context, __func__, request->name(), [&](const Caller&) {
        return filled(controller_.renewSlice(request->name(), request->lease_s()), response);
    });
}

Unary* ControllerApi::SetSlice(Context* context, const v1::SetSliceRequest* request, v1::Operation* response) {
    return change(gate_, context, __func__, request->name(), [&](const Caller&) -> absl::Status {
        HS_ASSIGN_OR_RETURN(const SliceChange asked, fromSetSlice(*request));
        return filled(controller_.setSlice(request->name(), asked, request->request_id()), response);
    });
}

Unary* ControllerApi::SetFrozen(Context* context, const v1::SetFrozenRequest* request, v1::Operation* response) {
    const SliverId id = fromSliverId(request->id());
    return change(gate_, context, __func__, subjectText(id), [&](const Caller&) {
        return filled(controller_.setFrozen(id, request->frozen(), request->request_id()), response);
    });
}

Unary* ControllerApi::DeleteSlice(Context* context, const v1::DeleteSliceRequest* request, v1::Operation* response) {
    return change(gate_, context, __func__, request->name(), [&](const Caller&) {
        return filled(controller_.deleteSlice(request->name(), request->request_id()), response);
    });
}

Unary* ControllerApi::ListSlivers(Context* context, const v1::ListSliversRequest* request,
                                  v1::ListSliversResponse* response) {
    return answerPage(gate_, context, __func__, *request, request->slice(),
                      [&](const Caller& caller, const Pager& pager) -> absl::Status {
                          SliverId after;
                          if (!pager.isFirst()) {
                              HS_ASSIGN_OR_RETURN(after, sliverOf(pager.after()));
                          }
                          HS_ASSIGN_OR_RETURN(const auto views,
                                              controller_.slivers(request->slice(), after, pager.most(), &caller));
                          pager.fill(
                              views.begin(), views.end(), [](const SliverView& view) { return view.id.toString(); },
                              adder(response->mutable_slivers()), *response);
                          return absl::OkStatus();
                      });
}

Unary* ControllerApi::GetSliver(Context* context, const v1::GetSliverRequest* request, v1::Sliver* response) {
    const SliverId id = fromSliverId(request->id());
    return answer(gate_, context, __func__, subjectText(id),
                  [&](const Caller&) { return filled(controller_.sliver(id), response); });
}

Unary* ControllerApi::MoveSliver(Context* context, const v1::MoveSliverRequest* request, v1::Operation* response) {
    const SliverId id = fromSliverId(request->id());
    return change(gate_, context, __func__, subjectText(id), [&](const Caller&) {
        return filled(controller_.moveSliver(id, request->to_node(), request->request_id()), response);
    });
}

grpc::ServerBidiReactor<v1::ExecRequest, v1::ExecResponse>* ControllerApi::Exec(Context* context) {
    const auto caller = gate_.callerOf(*context);
    if (!caller.ok()) {
        return new Refused<grpc::ServerBidiReactor<v1::ExecRequest, v1::ExecResponse>>(caller.status());
    }
    return relayExec(gate_, *caller, clients_);
}

grpc::ServerWriteReactor<v1::Chunk>* ControllerApi::Logs(Context* context, const v1::LogsRequest* request) {
    const auto caller = gate_.admit(*context, __func__, subjectText(fromSliverId(request->sliver())));
    if (!caller.ok()) return new Refused<grpc::ServerWriteReactor<v1::Chunk>>(caller.status());
    return relayLogs(controller_, clients_, *request);
}

grpc::ServerWriteReactor<v1::WatchResponse>* ControllerApi::Watch(Context* context, const v1::WatchRequest* request) {
    const auto caller = gate_.admit(*context, __func__, kNothing);
    if (!caller.ok()) return new Refused<grpc::ServerWriteReactor<v1::WatchResponse>>(caller.status());
    return watches_.open(*caller, *request);
}

Unary* ControllerApi::ListBindings(Context* context, const v1::ListBindingsRequest* request,
                                   v1::ListBindingsResponse* response) {
    const auto caller = gate_.admit(*context, __func__, kNothing);
    if (!caller.ok()) return finish(context, caller.status());
    const auto pager = Pager::of(*request);
    if (!pager.ok()) return finish(context, pager.status());
    return listBindings(controller_, clients_, *pager, *response);
}

grpc::ServerWriteReactor<v1::HomeBindingEvent>* ControllerApi::WatchHomeBindings(
    Context* context, const v1::WatchHomeBindingsRequest* /*request*/) {
    const auto caller = gate_.admit(*context, __func__, kNothing);
    if (!caller.ok()) return new Refused<grpc::ServerWriteReactor<v1::HomeBindingEvent>>(caller.status());
    return binding_streams_.begin();
}

Unary* ControllerApi::FindFlows(Context* context, const v1::FindFlowsRequest* request, v1::FlowReport* response) {
    const auto caller = gate_.admit(*context, __func__, kNothing);
    if (!caller.ok()) return finish(context, caller.status());
    return findFlows(controller_, clients_, *request, *response);
}

grpc::ServerWriteReactor<v1::Operation>* ControllerApi::WatchOperation(Context* context,
                                                                       const v1::WatchOperationRequest* request) {
    const auto caller = gate_.admit(*context, __func__, controller_.sliceOfOperation(request->id()));
    if (!caller.ok()) return new Refused<grpc::ServerWriteReactor<v1::Operation>>(caller.status());
    return streamOperation(controller_, request->id());
}

}  // namespace homeslice::controller
