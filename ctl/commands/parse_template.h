// The values of the options that say what a sliver is to be. As with parse.h, each function takes the option's name for
// its message: one line that says what is wrong and what is accepted (INVALID_ARGUMENT).
#pragma once

#include <absl/status/statusor.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "spec/sliver_template.h"

namespace homeslice::ctl {

// Bits a second: a whole number above 0 with K, M or G (powers of 1000, as links are sold), bit/s unless told.
absl::StatusOr<uint64_t> parseBitRate(const std::string& option, const std::string& text);
// A whole number above 0 with ms, s, m or h; at most 24 hours.
absl::StatusOr<std::chrono::milliseconds> parseMillis(const std::string& option, const std::string& text);
// A name of signal(7), with or without SIG, or a number from 1 to 64.
absl::StatusOr<int> parseSignal(const std::string& option, const std::string& text);
absl::StatusOr<RestartWhen> parseRestart(const std::string& option, const std::string& text);
absl::StatusOr<Balance> parseBalanceOption(const std::string& option, const std::string& text);
absl::StatusOr<DiskMedium> parseDiskMedium(const std::string& option, const std::string& text);

// Of the file LOCAL in "LOCAL:PATH[:MODE]", with MODE in octal, 0644 unless given. The file is read, at most 1 MiB.
absl::StatusOr<File> readFileOption(const std::string& option, const std::string& text);
// "SRC:DST[:ro|:rw]".
absl::StatusOr<Volume> parseVolume(const std::string& option, const std::string& text);
// "NAME=ADDR" with an IPv6 address.
absl::StatusOr<HostEntry> parseHost(const std::string& option, const std::string& text);
// The "NAME=value" lines of a file; blank ones and those that begin with # are left out.
absl::StatusOr<std::vector<std::string>> readEnvironment(const std::string& option, const std::string& path);

}  // namespace homeslice::ctl
