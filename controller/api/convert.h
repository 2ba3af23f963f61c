// Between the API's messages and the core's values. What comes from outside is checked; what goes out cannot fail.
#pragma once

#include <absl/status/statusor.h>

#include "controller/core/controller.h"
#include "controller/core/requests.h"
#include "controller/core/views.h"
#include "homeslice/v1/controller.pb.h"
#include "homeslice/v1/node.pb.h"
#include "rpc/status.h"

namespace homeslice::controller {

using rpc::toGrpc;

absl::StatusOr<Node> fromHello(const v1::NodeHello& hello);
// Slivers with a malformed identity are left out.
NodeReport fromNodeStatus(const v1::NodeStatus& status);
SetNodeRequest fromSetNode(const v1::SetNodeRequest& request);
absl::StatusOr<CreateSliceRequest> fromCreateSlice(const v1::CreateSliceRequest& request);
// INVALID_ARGUMENT when nothing is present.
absl::StatusOr<SliceChange> fromSetSlice(const v1::SetSliceRequest& request);
SliverId fromSliverId(const v1::SliverId& id);

// But for its lists of nodes.
void toDesiredState(uint64_t revision, const Picture& picture, v1::DesiredState& out);
v1::NodeList toMessage(const NodeList& list);
void toProto(const NodeView& view, v1::Node& out);
void toProto(const Plan& plan, v1::SlicePlan& out);
void toProto(const ImageView& view, v1::Image& out);
void toProto(const SliceView& view, v1::Slice& out);
void toProto(const SliverView& view, v1::Sliver& out);
void toProto(const RenewedSlice& renewed, v1::Slice& out);
void toProto(const Operation& operation, v1::Operation& out);
void toProto(const User& user, v1::User& out);
void toProto(const UserView& view, v1::User& out);

}  // namespace homeslice::controller
