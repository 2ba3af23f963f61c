#include "noded/sliver/manager.h"

#include "base/status.h"
#include "noded/sliver/local_host.h"
#include "noded/sliver/node_manager.h"

namespace homeslice::sliver {

absl::StatusOr<std::unique_ptr<Manager>> Manager::create(const ManagerConfig& config,
                                                         const Dependencies& dependencies) {
    HS_ASSIGN_OR_RETURN(auto host, LocalHost::open(config, dependencies.forwarder, dependencies.at_step));
    return createManager(std::move(host), dependencies);
}

}  // namespace homeslice::sliver
