#include "pki/message_code.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace homeslice::pki {

std::optional<MessageCode> messageCodeOf(const std::string& key, std::span<const uint8_t> message) {
    MessageCode code{};
    unsigned size = 0;
    const unsigned char* const made = HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), message.data(),
                                           message.size(), code.data(), &size);
    if (made == nullptr || size != code.size()) return std::nullopt;
    return code;
}

bool isMessageCodeOf(std::span<const uint8_t> code, const std::string& key, std::span<const uint8_t> message) {
    const std::optional<MessageCode> expected = messageCodeOf(key, message);
    return expected && code.size() == expected->size() &&
           CRYPTO_memcmp(code.data(), expected->data(), expected->size()) == 0;
}

}  // namespace homeslice::pki
