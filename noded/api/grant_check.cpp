#include "noded/api/grant_check.h"

#include "pki/grant.h"

namespace homeslice::api {

void GrantCheck::setKeys(const std::string& key, const std::map<std::string, std::string>& of_nodes) {
    const std::lock_guard lock(mutex_);
    key_ = key;
    of_nodes_ = of_nodes;
}

// One of an earlier life of this node as home agent must not be used while it is none.
std::string GrantCheck::keyFor(const std::string& node) const {
    const std::lock_guard lock(mutex_);
    const auto own = of_nodes_.find(node);
    return key_.empty() || own == of_nodes_.end() ? key_ : own->second;
}

std::optional<mobility::BindingStatus> GrantCheck::refusal(const std::string& node,
                                                           const mobility::BindingUpdate& update) const {
    const std::string key = keyFor(node);
    // It will be one when the controller has told it: worth another try.
    if (key.empty()) return mobility::BindingStatus::not_home_agent_for_this_mobile_node;
    const pki::AddressClaim claim{node, update.key.home_address, update.key.binding_id, update.generation};
    if (pki::isGrantOf(update.proof, key, claim)) return std::nullopt;
    return mobility::BindingStatus::administratively_prohibited;
}

}  // namespace homeslice::api
