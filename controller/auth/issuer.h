// The controller's authority on disk, and the certificates that it gives out.
//   STATE/pki/authority.key   the authority's private key (0600)
//   STATE/pki/                the controller's own credentials (pki/files.h)
//   STATE/admin/              those of the first administrator
#pragma once

#include <absl/status/statusor.h>

#include <chrono>
#include <memory>
#include <string>

#include "pki/certificate.h"
#include "pki/grant.h"
#include "pki/token.h"

namespace homeslice::controller {

// Threads: any, but renewOwn() one.
class Issuer {
public:
    // A new authority, with credentials for the controller and for the administrator `admin`. ALREADY_EXISTS when there
    // is one: a new one would lock everybody out. A run that failed half way can be repeated.
    static absl::Status initialise(const std::string& state_directory, const pki::Identity& admin,
                                   std::chrono::seconds lifetime);
    // ALREADY_EXISTS when there is an authority.
    static absl::Status checkNone(const std::string& state_directory);
    // FAILED_PRECONDITION says what to do when there is no authority yet.
    static absl::StatusOr<std::unique_ptr<Issuer>> open(const std::string& state_directory,
                                                        std::chrono::seconds lifetime);

    // A certificate for the key that signed `request`.
    absl::StatusOr<std::string> issue(const std::string& request, const pki::Identity& identity) const;
    // Replaces the controller's own certificate when a third of its time is left.
    absl::Status renewOwn();

    // What address grants are made with (pki/grant.h).
    const pki::GrantKeys& grantKeys() const { return grant_keys_; }
    // Of the certificates that it issues.
    std::chrono::seconds lifetime() const { return lifetime_; }
    std::string credentialsDirectory() const;
    std::string authorityPem() const { return authority_.certificate().toPem(); }
    std::string fingerprint() const { return authority_.certificate().fingerprint(); }

private:
    Issuer(std::string state_directory, pki::Authority authority, pki::GrantKeys grant_keys,
           std::chrono::seconds lifetime);

    const std::string state_directory_;
    const pki::Authority authority_;
    const pki::GrantKeys grant_keys_;
    const std::chrono::seconds lifetime_;  // of certificates
    Utc::time_point renew_own_after_{};
};

}  // namespace homeslice::controller
