#include "pki/key.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <array>
#include <cstring>

#include "base/status.h"
#include "pki/openssl.h"

namespace homeslice::pki {
namespace {

constexpr const char* kCurve = "prime256v1";  // NIST P-256
constexpr size_t kMaxRequestBytes = 8192;

struct FreeRequest {
    void operator()(X509_REQ* request) const { X509_REQ_free(request); }
};
using RequestHandle = std::unique_ptr<X509_REQ, FreeRequest>;

bool isP256(EVP_PKEY* key) {
    std::array<char, 32> curve{};
    return EVP_PKEY_get_group_name(key, curve.data(), curve.size(), nullptr) == 1 &&
           std::strcmp(curve.data(), kCurve) == 0;
}

}  // namespace

void FreeKey::operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }

absl::StatusOr<KeyHandle> generateKey() {
    KeyHandle key(EVP_EC_gen(kCurve));
    if (key == nullptr) return opensslError("generate a key");
    return key;
}

absl::StatusOr<KeyHandle> parseKey(const std::string& pem) {
    KeyHandle key(PEM_read_bio_PrivateKey(readFrom(pem).get(), nullptr, nullptr, nullptr));
    dropErrors();
    if (key == nullptr) return invalidArgument("there is no private key in it");
    return key;
}

absl::StatusOr<std::string> toPem(const KeyHandle& key) {
    const BioHandle out = writeInto();
    if (PEM_write_bio_PKCS8PrivateKey(out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1) {
        return opensslError("write the key");
    }
    return contentOf(out);
}

absl::StatusOr<std::string> makeRequest(const KeyHandle& key) {
    const RequestHandle request(X509_REQ_new());
    const BioHandle out = writeInto();
    const bool made = request != nullptr && X509_REQ_set_pubkey(request.get(), key.get()) == 1 &&
                      X509_REQ_sign(request.get(), key.get(), EVP_sha256()) > 0 &&
                      PEM_write_bio_X509_REQ(out.get(), request.get()) == 1;
    if (!made) return opensslError("make a certificate request");
    return contentOf(out);
}

absl::StatusOr<KeyHandle> keyOfRequest(const std::string& pem) {
    if (pem.size() > kMaxRequestBytes) return invalidArgument("the certificate request is too long");
    const RequestHandle request(PEM_read_bio_X509_REQ(readFrom(pem).get(), nullptr, nullptr, nullptr));
    KeyHandle key(request == nullptr ? nullptr : X509_REQ_get_pubkey(request.get()));
    const bool fine = key != nullptr && isP256(key.get()) && X509_REQ_verify(request.get(), key.get()) == 1;
    dropErrors();
    if (!fine) return invalidArgument("this is no certificate request of a P-256 key");
    return key;
}

}  // namespace homeslice::pki
