// A machine of the benchmark's network: a network namespace, gone with the object.
#pragma once

#include <absl/status/statusor.h>

#include <functional>
#include <string>

#include "base/unique_fd.h"

namespace homeslice::bench {

class Box {
public:
    static absl::StatusOr<Box> make();

    // Runs `work` in a thread inside and waits for it.
    void run(const std::function<void()>& work) const;
    absl::Status sh(const std::string& script) const;
    // As ip-link(8) takes it for the other end of a veth pair.
    std::string path() const;
    // -1 when it has no such link.
    int index(const std::string& link) const;

private:
    explicit Box(UniqueFd netns) : netns_(std::move(netns)) {}
    UniqueFd netns_;
};

}  // namespace homeslice::bench
