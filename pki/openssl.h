// What the sources of this folder share about OpenSSL. Internal.
#pragma once

#include <absl/status/status.h>
#include <openssl/bio.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

namespace homeslice::pki {

struct FreeBio {
    void operator()(BIO* bio) const { BIO_free(bio); }
};
using BioHandle = std::unique_ptr<BIO, FreeBio>;

struct FreeX509 {
    void operator()(X509* certificate) const { X509_free(certificate); }
};
using X509Handle = std::unique_ptr<X509, FreeX509>;

BioHandle readFrom(const std::string& pem);
BioHandle writeInto();
std::string contentOf(const BioHandle& bio);

// SHA-256's output or the like, as lower-case hex digits.
std::string hexOf(const unsigned char* bytes, size_t size);

// OpenSSL's newest error, which is taken off its queue. INTERNAL.
absl::Status opensslError(const std::string& what);
// Forgets errors that say no more than the caller's own.
void dropErrors();

}  // namespace homeslice::pki
