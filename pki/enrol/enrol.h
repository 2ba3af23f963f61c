// How a program gets its certificate from the controller, and a fresh one in time. Blocking, for at most half a minute;
// threads: any.
#pragma once

#include <absl/status/statusor.h>
#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <vector>

#include "pki/files.h"
#include "pki/tls/credentials.h"
#include "pki/token.h"

namespace homeslice::enrol {

// Makes a key, redeems the token over `channel`, and checks that what came is of the token's authority and of the key.
absl::StatusOr<pki::Credentials> join(const std::shared_ptr<grpc::Channel>& channel, const pki::Token& token);
// The same by the controller's address, "ADDRESS:PORT", to which nothing is said before its fingerprint is the token's.
absl::StatusOr<pki::Credentials> join(const std::string& target, const pki::Token& token);
// By the first of several controllers that leads.
absl::StatusOr<pki::Credentials> join(const std::vector<std::string>& targets, const pki::Token& token);

// Whether a third or less of the certificate's time is left.
absl::StatusOr<bool> isRenewalDue(const std::string& directory);
// Replaces key and certificate in `directory` by fresh ones of the same identity; `channel` is made of the present
// ones.
absl::Status renew(const std::shared_ptr<grpc::Channel>& channel, const std::string& directory);

}  // namespace homeslice::enrol
