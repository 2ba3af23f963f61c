// Whether a node may register an address: a home agent believes the controller's grant (pki/grant.h), not the node.
// Threads: any.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "noded/mobility/binding.h"

namespace homeslice::api {

class GrantCheck {
public:
    // Of the controller, with the picture: the usual key, and those of nodes that know it, by their names. Without the
    // usual one nothing passes.
    void setKeys(const std::string& key, const std::map<std::string, std::string>& of_nodes);
    // Why `update` of `node` is refused; nothing when it may pass.
    std::optional<mobility::BindingStatus> refusal(const std::string& node,
                                                   const mobility::BindingUpdate& update) const;

private:
    std::string keyFor(const std::string& node) const;

    mutable std::mutex mutex_;
    std::string key_;
    std::map<std::string, std::string> of_nodes_;
};

}  // namespace homeslice::api
