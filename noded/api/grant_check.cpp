#include "noded/api/grant_check.h"

#include "pki/grant.h"

namespace homeslice::api {

void GrantCheck::setKey(const std::string& key) {
    const std::lock_guard lock(mutex_);
    key_ = key;
}

std::string GrantCheck::key() const {
    const std::lock_guard lock(mutex_);
    return key_;
}

std::optional<mobility::BindingStatus> GrantCheck::refusal(const std::string& node,
                                                           const mobility::BindingUpdate& update) const {
    const std::string key = this->key();
    // It will be one when the controller has told it: worth another try.
    if (key.empty()) return mobility::BindingStatus::not_home_agent_for_this_mobile_node;
    const pki::AddressClaim claim{node, update.key.home_address, update.key.binding_id, update.generation};
    if (pki::isGrantOf(update.proof, key, claim)) return std::nullopt;
    return mobility::BindingStatus::administratively_prohibited;
}

}  // namespace homeslice::api
