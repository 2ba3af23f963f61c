#include "controller/core/requests.h"

#include <fmt/format.h>

#include "base/names.h"
#include "base/nat.h"
#include "base/reason.h"
#include "base/status.h"

namespace homeslice::controller {
namespace {

constexpr size_t kMaxText = 256;

}  // namespace

absl::Status checkRequestId(const std::string& request_id) {
    if (request_id.size() > kMaxText)
        return invalidArgument(fmt::format("a request id has at most {} bytes", kMaxText));
    return absl::OkStatus();
}

absl::Status checkRequest(const CreateSliceRequest& request) {
    HS_RETURN_IF_ERROR(checkName("slice name", request.name));
    for (const std::string& node : request.where.nodes) HS_RETURN_IF_ERROR(checkName("node name", node));
    for (const std::string& slice : request.where.rules.apart_from) HS_RETURN_IF_ERROR(checkName("slice name", slice));
    if (!request.where.rules.spread_over.empty()) HS_RETURN_IF_ERROR(checkLabelKey(request.where.rules.spread_over));
    if (!request.reservation.empty()) HS_RETURN_IF_ERROR(checkName("reservation name", request.reservation));
    HS_RETURN_IF_ERROR(check(request.base));
    return checkRequestId(request.request_id);
}

absl::Status checkRequest(const SetNodeRequest& request) {
    constexpr size_t kMaxLabels = 64;
    if (request.labels.empty() && request.remove_labels.empty() && !request.cordoned) {
        return invalidArgument("the request says nothing that is to change");
    }
    if (request.labels.size() > kMaxLabels) return invalidArgument("at most 64 labels");
    for (const auto& [key, value] : request.labels) HS_RETURN_IF_ERROR(checkLabel(key, value));
    return absl::OkStatus();
}

absl::Status checkHello(const Node& node) {
    HS_RETURN_IF_ERROR(checkName("node name", node.name));
    if (node.care_of_address.isUnspecified() || node.care_of_address.isMulticast()) {
        return invalidArgument("node " + node.name + ": care-of address " + node.care_of_address.toString() +
                               " cannot be a machine's");
    }
    if (isBehindNat(node.care_of_address)) {
        if (!isBehindNatOf(node.care_of_address, node.name))
            return invalidArgument("node " + node.name + ": that care-of address behind a NAT is another node's");
        if (node.home_agent || node.correspondent)
            return invalidArgument("node " + node.name + ": behind a NAT it cannot be a home agent or a correspondent");
    }
    if (node.api_port == 0) return invalidArgument("node " + node.name + ": the API port is missing");
    for (const std::string* text : {&node.version, &node.kernel, &node.boot_id}) {
        if (text->size() > kMaxText) return invalidArgument("node " + node.name + ": a field of its hello is too long");
    }
    return absl::OkStatus();
}

absl::Status beingDeleted(const std::string& slice) {
    return because(failedPrecondition("slice '" + slice + "' is being deleted"), reason::kSliceDeleting,
                   {{"slice", slice}});
}

}  // namespace homeslice::controller
