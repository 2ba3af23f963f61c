// The options that limit a sliver: the same for a slice that is made and for one that is changed.
#pragma once

#include <absl/status/statusor.h>
#include <homeslice/v1/types.pb.h>

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace homeslice::ctl {

// Must stay where it is from declare() until the command line has been parsed.
class ResourceOptions {
public:
    void declare(CLI::App& app);
    // Only what was given is present; "none" is 0, no limit.
    absl::StatusOr<v1::Resources> value() const;
    bool anyGiven() const;

private:
    std::vector<std::string> texts_;
    std::vector<const CLI::Option*> options_;  // in the order of `texts_`
};

}  // namespace homeslice::ctl
