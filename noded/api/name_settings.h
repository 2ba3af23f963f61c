// Keeps the name service in step with the controller's table, across noded's own death: the last one is in the node's
// store (table "names"). Threads: any.
#pragma once

#include <absl/status/status.h>

#include <functional>
#include <mutex>
#include <optional>

#include "noded/names/name_service.h"
#include "noded/store/key_value_store.h"

namespace homeslice::v1 {
class NameTable;
}

namespace homeslice::api {

class NameSettings {
public:
    // Both outlive this. `heard`: is told of each table that is applied.
    NameSettings(
        names::NameService& service, store::KeyValueStore& store,
        std::function<void(const NameTable&)> heard = [](const NameTable&) {})
        : service_(service), store_(store), heard_(std::move(heard)) {}

    // Applies what is stored; OK when nothing is.
    absl::Status restore();
    // Applies and stores. INVALID_ARGUMENT leaves everything as it was.
    absl::Status set(const v1::NameTable& message);
    // Tries again what failed in an earlier call. OK when nothing is left to do.
    absl::Status settle();

private:
    // With the lock held.
    absl::Status settleLocked();

    names::NameService& service_;
    store::KeyValueStore& store_;
    const std::function<void(const NameTable&)> heard_;
    std::mutex mutex_;
    std::optional<NameTable> table_;
    bool applied_ = true;
    bool saved_ = true;
};

}  // namespace homeslice::api
