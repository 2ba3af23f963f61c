// Whether a node may register an address: a home agent believes the controller's grant (pki/grant.h), not the node.
// Threads: any.
#pragma once

#include <mutex>
#include <optional>
#include <string>

#include "noded/mobility/binding.h"

namespace homeslice::api {

class GrantCheck {
public:
    // Of the controller, with the picture. Without one nothing passes.
    void setKey(const std::string& key);
    // Why `update` of `node` is refused; nothing when it may pass.
    std::optional<mobility::BindingStatus> refusal(const std::string& node,
                                                   const mobility::BindingUpdate& update) const;

private:
    std::string key() const;

    mutable std::mutex mutex_;
    std::string key_;
};

}  // namespace homeslice::api
