// What clients ask the controller to tell.
#include <algorithm>

#include "base/names.h"
#include "base/reason.h"
#include "base/status.h"
#include "controller/addresses/addresses.h"
#include "controller/core/controller.h"
#include "controller/core/repeated.h"

namespace homeslice::controller {

absl::Status Controller::checkNameFree(const std::string& slice) const {
    const auto found = snapshot_.slices.find(slice);
    if (found == snapshot_.slices.end()) return absl::OkStatus();
    const bool deleting = found->second.deleting;
    return because(alreadyExists("slice '" + slice + (deleting ? "' is still being deleted" : "' exists already")),
                   deleting ? reason::kSliceDeleting : reason::kSliceExists, {{"slice", slice}});
}

absl::StatusOr<const Image*> Controller::findImage(const std::string& name) const {
    HS_RETURN_IF_ERROR(checkName("image name", name));
    const auto found = snapshot_.images.find(name);
    if (found == snapshot_.images.end())
        return because(notFound("no image '" + name + "'"), reason::kImageNotFound, {{"image", name}});
    return &found->second;
}

absl::StatusOr<const Node*> Controller::findNode(const std::string& name) const {
    HS_RETURN_IF_ERROR(checkName("node name", name));
    const auto found = snapshot_.nodes.find(name);
    if (found == snapshot_.nodes.end())
        return because(notFound("no node '" + name + "'"), reason::kNodeNotFound, {{"node", name}});
    return &found->second;
}

absl::StatusOr<const Slice*> Controller::findSlice(const std::string& name) const {
    HS_RETURN_IF_ERROR(checkName("slice name", name));
    const auto found = snapshot_.slices.find(name);
    if (found == snapshot_.slices.end())
        return because(notFound("no slice '" + name + "'"), reason::kSliceNotFound, {{"slice", name}});
    return &found->second;
}

absl::StatusOr<const Sliver*> Controller::findSliver(const SliverId& id) const {
    HS_RETURN_IF_ERROR(findSlice(id.slice).status());
    const auto found = snapshot_.slivers.find(id);
    if (found == snapshot_.slivers.end())
        return because(notFound("no sliver " + id.toString()), reason::kSliverNotFound, {{"sliver", id.toString()}});
    return &found->second;
}

// Null when the id is empty or new. INVALID_ARGUMENT when it was used for something else.
absl::StatusOr<const Operation*> Controller::findRepeated(const std::string& request_id, OperationKind kind,
                                                          const SliverId& subject) const {
    if (request_id.empty()) return nullptr;
    const Operation* operation = index_.requested(request_id);
    if (operation == nullptr || (operation->kind == kind && operation->subject == subject)) return operation;
    return requestIdReused(request_id, *operation);
}

const Operation* Controller::runningDeletion(const std::string& slice) const {
    for (const std::string& id : index_.runningAbout(slice)) {
        const Operation& operation = snapshot_.operations.at(id);
        if (operation.kind == OperationKind::deleteSlice) return &operation;
    }
    return nullptr;
}

absl::StatusOr<NodeEndpoint> Controller::endpointIfReady(const std::string& name) const {
    HS_ASSIGN_OR_RETURN(const Node* node, findNode(name));
    const std::string away = nodes_.notReady(name, clock_.monotonic());
    if (!away.empty()) {
        return because(unavailable("node '" + name + "' is away: " + away), reason::kNodeAway, {{"node", name}});
    }
    return NodeEndpoint{name, node->care_of_address, node->api_port};
}

std::vector<NodeView> Controller::nodes(const std::string& after, size_t most) const {
    const std::lock_guard lock(mutex_);
    std::vector<NodeView> views;
    for (auto it = snapshot_.nodes.upper_bound(after); it != snapshot_.nodes.end() && views.size() < most; ++it) {
        views.push_back(viewNode(world(), it->second));
    }
    return views;
}

absl::StatusOr<NodeView> Controller::node(const std::string& name) const {
    const std::lock_guard lock(mutex_);
    HS_ASSIGN_OR_RETURN(const Node* node, findNode(name));
    return viewNode(world(), *node);
}

std::vector<ImageView> Controller::images() const {
    const std::lock_guard lock(mutex_);
    std::vector<ImageView> views;
    for (const auto& [name, image] : snapshot_.images) views.push_back(viewImage(world(), image));
    return views;
}

std::vector<SliceView> Controller::slices(const std::string& after, size_t most, const Caller* caller) const {
    const std::lock_guard lock(mutex_);
    std::vector<SliceView> views;
    for (auto it = snapshot_.slices.upper_bound(after); it != snapshot_.slices.end() && views.size() < most; ++it) {
        if (caller == nullptr || maySee(*caller, it->second)) views.push_back(viewSlice(world(), it->second));
    }
    return views;
}

absl::StatusOr<SliceView> Controller::slice(const std::string& name) const {
    const std::lock_guard lock(mutex_);
    HS_ASSIGN_OR_RETURN(const Slice* slice, findSlice(name));
    return viewSlice(world(), *slice);
}

absl::StatusOr<std::vector<SliverView>> Controller::slivers(const std::string& slice, const SliverId& after,
                                                            size_t most, const Caller* caller) const {
    const std::lock_guard lock(mutex_);
    if (!slice.empty()) {
        HS_ASSIGN_OR_RETURN(const Slice* found, findSlice(slice));
        if (caller != nullptr) HS_RETURN_IF_ERROR(checkRight(*caller, Right::use_slice, *found));
    }
    std::vector<SliverView> views;
    const std::string* last_slice = nullptr;  // whose visibility is known
    bool visible = false;
    for (auto it = snapshot_.slivers.upper_bound(std::max(after, SliverId{slice, 0}));
         it != snapshot_.slivers.end() && views.size() < most; ++it) {
        const std::string& name = it->first.slice;
        if (!slice.empty() && name != slice) break;
        if (last_slice == nullptr || *last_slice != name) {
            const auto found = snapshot_.slices.find(name);
            visible = caller == nullptr || (found != snapshot_.slices.end() && maySee(*caller, found->second));
            last_slice = &name;
        }
        if (visible) views.push_back(viewSliver(world(), it->second));
    }
    return views;
}

absl::StatusOr<SliverView> Controller::sliver(const SliverId& id) const {
    const std::lock_guard lock(mutex_);
    HS_ASSIGN_OR_RETURN(const Sliver* sliver, findSliver(id));
    return viewSliver(world(), *sliver);
}

absl::StatusOr<NodeEndpoint> Controller::endpointOfNode(const std::string& name) const {
    const std::lock_guard lock(mutex_);
    return endpointIfReady(name);
}

absl::StatusOr<NodeEndpoint> Controller::endpointOfSliver(const SliverId& id) const {
    const std::lock_guard lock(mutex_);
    HS_ASSIGN_OR_RETURN(const Sliver* sliver, findSliver(id));
    return endpointIfReady(sliver->node);
}

absl::StatusOr<std::vector<NodeEndpoint>> Controller::homeAgents() const {
    const std::lock_guard lock(mutex_);
    std::vector<NodeEndpoint> agents;
    absl::Status away;
    for (const auto& [name, node] : snapshot_.nodes) {
        if (!node.home_agent) continue;
        absl::StatusOr<NodeEndpoint> endpoint = endpointIfReady(name);
        if (endpoint.ok())
            agents.push_back(*std::move(endpoint));
        else
            away = endpoint.status();
    }
    if (agents.empty() && !away.ok()) return away;
    return agents;
}

BindingOwner Controller::describeBinding(const Ipv6Address& home_address, uint32_t binding_id,
                                         const Ipv6Address& care_of_address) const {
    const std::lock_guard lock(mutex_);
    BindingOwner result;
    for (const auto& [name, node] : snapshot_.nodes) {
        if (node.care_of_address == care_of_address) result.node = name;
    }
    const auto owner = ownerOf(config_.home_prefix, home_address);
    if (!owner) return result;
    for (const auto& [name, slice] : snapshot_.slices) {
        if (slice.number == owner->number) result.slice = name;
    }
    // Behind a slice's own address the binding id tells its slivers apart.
    result.sliver_index = owner->index != 0 ? owner->index : binding_id;
    return result;
}

}  // namespace homeslice::controller
