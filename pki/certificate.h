// Certificates (RFC 5280) and the authority that issues them.
#pragma once

#include <absl/status/statusor.h>
#include <openssl/types.h>

#include <chrono>
#include <memory>
#include <string>

#include "base/clock.h"
#include "pki/identity.h"
#include "pki/key.h"

namespace homeslice::pki {

// One certificate, to be read. Copies share it.
class Certificate {
public:
    // The first certificate in `pem`.
    static absl::StatusOr<Certificate> parse(const std::string& pem);

    // INVALID_ARGUMENT when it was not issued by an Authority.
    absl::StatusOr<Identity> identity() const;
    Utc::time_point notBefore() const;
    Utc::time_point notAfter() const;
    // SHA-256 of its DER form, 64 hex digits.
    std::string fingerprint() const;
    bool isSignedBy(const Certificate& issuer) const;
    bool isOf(const KeyHandle& key) const;
    std::string toPem() const;
    // When a third of its time is left.
    Utc::time_point renewAfter() const;

private:
    friend class Authority;
    explicit Certificate(X509* certificate);

    std::shared_ptr<X509> certificate_;
};

// The system's own root: a key and its self-signed certificate. Threads: any.
class Authority {
public:
    // A new one, for twenty years.
    static absl::StatusOr<Authority> create();
    static absl::StatusOr<Authority> parse(const std::string& key_pem, const std::string& certificate_pem);

    // Begins a little in the past, for clocks that are behind; good for client and server, or for a client alone where
    // the identity has no server names.
    absl::StatusOr<Certificate> issue(const KeyHandle& key, const Identity& identity,
                                      std::chrono::seconds lifetime) const;

    const Certificate& certificate() const { return certificate_; }
    absl::StatusOr<std::string> keyPem() const { return toPem(key_); }

private:
    Authority(KeyHandle key, Certificate certificate) : key_(std::move(key)), certificate_(std::move(certificate)) {}

    KeyHandle key_;
    Certificate certificate_;
};

}  // namespace homeslice::pki
