// Keeps the node's certificate fresh: asks the controller for another when a third of its time is left, and again until
// it comes. Servers and channels take the new one up by themselves (pki/tls).
#pragma once

#include <memory>

#include "leader/controllers.h"
#include "pki/tls/credentials.h"

namespace homeslice::api {

class Renewal {
public:
    static std::unique_ptr<Renewal> start(std::shared_ptr<leader::Controllers> controllers,
                                          std::shared_ptr<const tls::Credentials> credentials);
    // Waits for the attempt that is under way, half a minute at worst.
    virtual ~Renewal() = default;
};

}  // namespace homeslice::api
