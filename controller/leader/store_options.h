// sliced's options about its store, and the stores that they name.
#pragma once

#include <absl/status/statusor.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "base/unique_fd.h"
#include "controller/leader/store_location.h"
#include "controller/store/etcd/seat.h"
#include "controller/store/store.h"

namespace homeslice::controller {

struct StoreOptions {
    std::string state_directory;
    std::string store;  // as in parseStoreLocation(); empty: SQLite's file in the state directory
    std::string advertise;
    EtcdConfig etcd;  // but for the endpoints
};

void describe(CLI::App& app, StoreOptions& options);

absl::StatusOr<StoreLocation> locationOf(const StoreOptions& options);
absl::StatusOr<EtcdConfig> etcdConfigOf(const StoreOptions& options, const StoreLocation& location);
// The address that clients of several controllers find this one at: --advertise, else the first of `listen` that says
// more than a port.
absl::StatusOr<std::string> advertisedAddress(const StoreOptions& options, const std::vector<std::string>& listen);

// Two controllers over one state directory would undo each other's work. FAILED_PRECONDITION while another has it.
absl::StatusOr<UniqueFd> lockState(const std::string& directory);

// A store that nobody else writes to as long as this lives. Not yet loaded.
struct OwnStore {
    UniqueFd lock;
    std::unique_ptr<EtcdSeat> seat;
    std::unique_ptr<DurableStore> store;
};
// FAILED_PRECONDITION while a sliced uses it.
absl::StatusOr<OwnStore> takeStore(const StoreOptions& options, const StoreLocation& location);

}  // namespace homeslice::controller
