// Where a program keeps what it shows to its peers: one directory (0700) with two files.
//   authority.pem   the authority's certificate
//   identity.pem    private key and certificate, one file (0600), so that both are replaced at once
#pragma once

#include <absl/status/statusor.h>

#include <string>

#include "pki/certificate.h"
#include "pki/key.h"

namespace homeslice::pki {

struct Credentials {
    std::string authority_pem;
    std::string key_pem;
    std::string certificate_pem;
};

std::string authorityPath(const std::string& directory);
std::string identityPath(const std::string& directory);

// Makes the directory when it is missing, and replaces the files atomically, the identity last.
absl::Status writeCredentials(const std::string& directory, const Credentials& credentials);
// NOT_FOUND when there are none; FAILED_PRECONDITION when others may read the key; INVALID_ARGUMENT when the files are
// malformed or do not belong together.
absl::StatusOr<Credentials> readCredentials(const std::string& directory);

// Makes `path` (0600) with this content; ALREADY_EXISTS rather than replacing one.
absl::Status createPrivateFile(const std::string& path, const std::string& content);

}  // namespace homeslice::pki
