// The options that say what the slivers of a new slice are to be, beside image, command and limits.
#pragma once

#include <absl/status/status.h>

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "spec/sliver_template.h"

namespace homeslice::ctl {

// Must stay where it is from declare() until the command line has been parsed.
class TemplateOptions {
public:
    void declare(CLI::App& app);
    // Sets in `base` what was given. Reads the files that are named.
    absl::Status apply(SliverTemplate& base) const;

private:
    // In the order of the tables in template_options.cpp.
    std::vector<std::vector<std::string>> repeated_;
    std::vector<std::string> singles_;
    std::vector<const CLI::Option*> single_options_;
};

}  // namespace homeslice::ctl
