// Packet filter rules by libnftables, in the words of nft(8).
#pragma once

#include <absl/status/status.h>

#include <string>

namespace homeslice::sys {

// Runs `commands` in the calling thread's network namespace, all or nothing. The error holds nft's first line.
absl::Status runNft(const std::string& commands);

}  // namespace homeslice::sys
