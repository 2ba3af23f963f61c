// The manager over any host; Manager::create() puts it over the machine.
#pragma once

#include <memory>

#include "noded/sliver/host.h"
#include "noded/sliver/manager.h"

namespace homeslice::sliver {

// The contract of Manager::create().
absl::StatusOr<std::unique_ptr<Manager>> createManager(std::unique_ptr<Host> host,
                                                       const Manager::Dependencies& dependencies);

}  // namespace homeslice::sliver
