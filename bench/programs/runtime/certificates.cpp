#include "certificates.h"

#include "base/names.h"
#include "base/status.h"
#include "pki/certificate.h"
#include "pki/files.h"

namespace homeslice::bench {
namespace {

absl::Status write(const pki::Authority& authority, const std::string& directory, pki::Kind kind,
                   const std::string& name) {
    constexpr std::chrono::hours kLongEnough{24};
    HS_ASSIGN_OR_RETURN(const pki::KeyHandle key, pki::generateKey());
    HS_ASSIGN_OR_RETURN(const pki::Certificate certificate,
                        authority.issue(key, {kind, name, randomId()}, kLongEnough));
    HS_ASSIGN_OR_RETURN(const std::string key_pem, pki::toPem(key));
    return pki::writeCredentials(directory, {authority.certificate().toPem(), key_pem, certificate.toPem()});
}

}  // namespace

absl::Status makeCertificates(const std::string& controller_directory, const std::string& node_directory,
                              const std::string& node) {
    HS_ASSIGN_OR_RETURN(const pki::Authority authority, pki::Authority::create());
    HS_RETURN_IF_ERROR(write(authority, controller_directory, pki::Kind::controller, "controller"));
    return write(authority, node_directory, pki::Kind::node, node);
}

}  // namespace homeslice::bench
