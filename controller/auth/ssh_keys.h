// Public keys in OpenSSH's form (sshd(8), "AUTHORIZED_KEYS FILE FORMAT"): "ssh-ed25519 AAAA... comment". Pure.
#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <vector>

namespace homeslice::controller {

// The key in one line without surplus blanks. INVALID_ARGUMENT for anything but one key; options before it are refused,
// for they would give orders to the sliver's sshd.
absl::StatusOr<std::string> parseSshKey(const std::string& text);

// `keys` with `key` added; ALREADY_EXISTS, RESOURCE_EXHAUSTED beyond 32.
absl::StatusOr<std::vector<std::string>> withSshKey(std::vector<std::string> keys, const std::string& key);
// Without the one key that is `key`, has it as its second word, or as its comment. NOT_FOUND; FAILED_PRECONDITION when
// it means several.
absl::StatusOr<std::vector<std::string>> withoutSshKey(const std::vector<std::string>& keys, const std::string& key);

}  // namespace homeslice::controller
