// Removing a directory with tens of thousands of files.
#pragma once

#include <absl/status/status.h>

#include <string>

namespace homeslice::ctl::lab {

// As removeTree(), many files at a time: a file system that is mounted with `discard` waits for the disk at each file.
// Nobody else may be at work below `directory`.
absl::Status removeLargeTree(const std::string& directory);

}  // namespace homeslice::ctl::lab
