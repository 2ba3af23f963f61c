// The isolators of a node, in the order of a start. See isolator.h for their contract, docs/design/isolation.md for
// what each one stops.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "noded/isolation/id_pool.h"
#include "noded/isolation/isolator.h"
#include "noded/mobility/forwarder.h"
#include "noded/sys/cgroup.h"

namespace homeslice::isolation {

struct IsolationConfig {
    std::string state_directory;
    std::string run_directory;
    std::string cgroup_parent;
    std::string init_program;            // copied to the state directory, mode 0711
    std::vector<std::string> volumes{};  // directories that slivers may be given, with all below them
};

// All arguments by reference outlive the isolators.
absl::StatusOr<std::vector<std::unique_ptr<Isolator>>> makeIsolators(const IsolationConfig& config, IdPool& ids,
                                                                     sys::Cgroups& cgroups,
                                                                     mobility::Forwarder& forwarder);

std::unique_ptr<Isolator> makeUserIsolator(IdPool& ids);
absl::StatusOr<std::unique_ptr<Isolator>> makeFilesystemIsolator(const IsolationConfig& config);
std::unique_ptr<Isolator> makeResourcesIsolator(const IsolationConfig& config, sys::Cgroups& cgroups);
absl::StatusOr<std::unique_ptr<Isolator>> makeDevicesIsolator(sys::Cgroups& cgroups);
std::unique_ptr<Isolator> makeNetworkIsolator(mobility::Forwarder& forwarder);
std::unique_ptr<Isolator> makeBandwidthIsolator(sys::Cgroups& cgroups);
absl::StatusOr<std::unique_ptr<Isolator>> makeSeccompIsolator();

}  // namespace homeslice::isolation
