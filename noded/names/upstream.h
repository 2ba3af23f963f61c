// The node's own name servers, asked by libcares: time-outs, further servers, and TCP where an answer is long.
// Threads: the loop's.
#pragma once

#include <absl/status/statusor.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "noded/names/loop.h"

namespace homeslice::names {

class Upstream {
public:
    // The response as it came; empty when no server gave one. Called once, also at the end of the Upstream.
    using Done = std::function<void(const std::string& response)>;

    // `servers`: addresses, each "ADDRESS" or "[ADDRESS]:PORT"; empty: those of /etc/resolv.conf. `loop` outlives it.
    static absl::StatusOr<std::unique_ptr<Upstream>> open(const std::vector<std::string>& servers, Loop& loop);
    virtual ~Upstream() = default;

    virtual void ask(const std::string& query, Done done) = 0;
    // When expire() wants to be called, at most `longest` from now.
    virtual std::chrono::milliseconds timeout(std::chrono::milliseconds longest) = 0;
    // Gives up on who was silent for too long.
    virtual void expire() = 0;
};

}  // namespace homeslice::names
