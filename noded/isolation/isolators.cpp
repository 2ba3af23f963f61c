#include "noded/isolation/isolators.h"

#include "base/status.h"

namespace homeslice::isolation {

absl::StatusOr<std::vector<std::unique_ptr<Isolator>>> makeIsolators(const IsolationConfig& config, IdPool& ids,
                                                                     sys::Cgroups& cgroups,
                                                                     mobility::Forwarder& forwarder) {
    HS_ASSIGN_OR_RETURN(auto filesystem, makeFilesystemIsolator(config));
    HS_ASSIGN_OR_RETURN(auto devices, makeDevicesIsolator(cgroups));
    HS_ASSIGN_OR_RETURN(auto seccomp, makeSeccompIsolator());
    std::vector<std::unique_ptr<Isolator>> isolators;
    isolators.push_back(makeUserIsolator(ids));  // first: the others need the id range
    isolators.push_back(std::move(filesystem));
    isolators.push_back(makeResourcesIsolator(config, cgroups));
    isolators.push_back(std::move(devices));  // after resources, which makes the group
    isolators.push_back(makeNetworkIsolator(forwarder));
    isolators.push_back(makeBandwidthIsolator(cgroups));  // after network, which makes the link
    isolators.push_back(std::move(seccomp));
    return isolators;
}

}  // namespace homeslice::isolation
