// Keeps the node's certificate fresh: asks the controller for another when a third of its time is left, and again until
// it comes. Servers and channels take the new one up by themselves (pki/tls).
#pragma once

#include <memory>
#include <string>

#include "leader/controllers.h"

namespace homeslice::api {

class Renewal {
public:
    // `directory`: of the node's credentials (pki/files.h).
    static std::unique_ptr<Renewal> start(std::shared_ptr<leader::Controllers> controllers,
                                          const std::string& directory);
    // Waits for the attempt that is under way, half a minute at worst.
    virtual ~Renewal() = default;
};

}  // namespace homeslice::api
