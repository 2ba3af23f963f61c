#include "pki/grant.h"

#include <openssl/crypto.h>

#include <span>

#include "base/status.h"
#include "pki/message_code.h"
#include "pki/openssl.h"

namespace homeslice::pki {
namespace {

constexpr const char* kKeyPurpose = "homeslice address grants 1";
constexpr const char* kWithheldPurpose = "homeslice address grants of single nodes 1";
constexpr const char* kAdvertisementPurpose = "homeslice advertisements 1";

std::string authenticationCode(const std::string& key, const std::string& text) {
    const auto* const bytes = reinterpret_cast<const unsigned char*>(text.data());
    const auto code = messageCodeOf(key, std::span(bytes, text.size()));
    return code ? hexOf(code->data(), code->size()) : "";
}

// No field can hold a line's end, so that no two claims have one text.
std::string textOf(const AddressClaim& claim) {
    return claim.node + "\n" + claim.home_address.toString() + "\n" + std::to_string(claim.binding_id) + "\n" +
           std::to_string(claim.generation) + "\n";
}

}  // namespace

absl::StatusOr<GrantKeys> grantKeysOf(const std::string& authority_key_pem) {
    GrantKeys keys{authenticationCode(authority_key_pem, kKeyPurpose),
                   authenticationCode(authority_key_pem, kWithheldPurpose)};
    if (keys.shared.empty() || keys.withheld.empty()) {
        return internalError("HMAC-SHA256: refused by the system's cryptography");
    }
    return keys;
}

std::string nodeGrantKeyOf(const GrantKeys& keys, const std::string& node) {
    return authenticationCode(keys.withheld, node);
}

std::string advertisementKeyOf(const std::string& grant_key) {
    return grant_key.empty() ? "" : authenticationCode(grant_key, kAdvertisementPurpose);
}

std::string grantOf(const std::string& key, const AddressClaim& claim) {
    return authenticationCode(key, textOf(claim));
}

bool isGrantOf(const std::string& grant, const std::string& key, const AddressClaim& claim) {
    const std::string expected = grantOf(key, claim);
    return !expected.empty() && grant.size() == expected.size() &&
           CRYPTO_memcmp(grant.data(), expected.data(), expected.size()) == 0;
}

}  // namespace homeslice::pki
