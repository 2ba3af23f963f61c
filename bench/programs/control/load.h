// What users ask of the controller: slices, and to hear of them.
#pragma once

#include <absl/status/statusor.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>

#include "fleet.h"
#include "homeslice/v1/controller.grpc.pb.h"

namespace homeslice::bench {

class Load {
public:
    // `slivers`: that there are already.
    Load(v1::ControllerService::Stub& client, Fleet& fleet, uint64_t slivers = 0)
        : client_(client), fleet_(fleet), slivers_(slivers) {}

    uint64_t slivers() const { return slivers_; }

    // Slices of `size` slivers each, asked for by a few users at once; `count` in all.
    struct Rates {
        double placements_per_s = 0;  // until the last one is answered
        double running_per_s = 0;     // until the last one runs
    };
    absl::StatusOr<Rates> create(uint64_t count, uint32_t size, std::chrono::seconds patience);

    // Milliseconds from a node's word that a sliver runs until who watches its creation hears that it is done.
    absl::StatusOr<double> watchOne();

    // Waits until the controller says that all slivers run.
    absl::Status awaitConverged(std::chrono::seconds patience);

private:
    absl::StatusOr<uint64_t> countRunning();
    absl::StatusOr<v1::Operation> createSlice(const std::string& name, uint32_t slivers);
    std::string nextName();

    v1::ControllerService::Stub& client_;
    Fleet& fleet_;
    std::atomic<uint64_t> slivers_;
    std::atomic<uint64_t> slices_ = 0;
};

}  // namespace homeslice::bench
