// Private keys and certificate requests (RFC 2986): EC P-256, as PEM.
#pragma once

#include <absl/status/statusor.h>
#include <openssl/types.h>

#include <memory>
#include <string>

namespace homeslice::pki {

struct FreeKey {
    void operator()(EVP_PKEY* key) const;
};
using KeyHandle = std::unique_ptr<EVP_PKEY, FreeKey>;

// A new key from the system's random numbers.
absl::StatusOr<KeyHandle> generateKey();
// The first private key in `pem`.
absl::StatusOr<KeyHandle> parseKey(const std::string& pem);
// PKCS #8, not encrypted.
absl::StatusOr<std::string> toPem(const KeyHandle& key);

// A request that proves possession of the key and asks for nothing: whom a certificate is for is the issuer's
// knowledge.
absl::StatusOr<std::string> makeRequest(const KeyHandle& key);
// The key that the request was signed with. INVALID_ARGUMENT for a request that is malformed, is not of a P-256 key, or
// was not signed with it.
absl::StatusOr<KeyHandle> keyOfRequest(const std::string& pem);

}  // namespace homeslice::pki
