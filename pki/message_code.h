// HMAC-SHA256 (RFC 2104): who does not know the key can make no code for a message.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace homeslice::pki {

using MessageCode = std::array<uint8_t, 32>;

// Nothing when the system's cryptography fails.
std::optional<MessageCode> messageCodeOf(const std::string& key, std::span<const uint8_t> message);
// In constant time.
bool isMessageCodeOf(std::span<const uint8_t> code, const std::string& key, std::span<const uint8_t> message);

}  // namespace homeslice::pki
