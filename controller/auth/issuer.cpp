#include "controller/auth/issuer.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdio>

#include "base/file.h"
#include "base/names.h"
#include "base/status.h"
#include "pki/files.h"

namespace homeslice::controller {
namespace {

constexpr const char* kController = "controller";

std::string pkiDirectory(const std::string& state_directory) { return state_directory + "/pki"; }
std::string keyPath(const std::string& pki_directory) { return pki_directory + "/authority.key"; }

bool exists(const std::string& path) {
    struct stat info {};
    return ::lstat(path.c_str(), &info) == 0;
}

// A new key with its certificate, and the authority's behind it: newcomers learn it from there.
absl::StatusOr<pki::Credentials> makeCredentials(const pki::Authority& authority, const pki::Identity& identity,
                                                 std::chrono::seconds lifetime) {
    HS_ASSIGN_OR_RETURN(const pki::KeyHandle key, pki::generateKey());
    HS_ASSIGN_OR_RETURN(const pki::Certificate certificate, authority.issue(key, identity, lifetime));
    HS_ASSIGN_OR_RETURN(std::string key_pem, pki::toPem(key));
    const std::string authority_pem = authority.certificate().toPem();
    return pki::Credentials{authority_pem, std::move(key_pem), certificate.toPem() + authority_pem};
}

absl::Status writeAuthority(const std::string& directory, const pki::Authority& authority,
                            std::chrono::seconds lifetime) {
    const pki::Identity own{pki::Kind::controller, kController, randomId()};
    HS_ASSIGN_OR_RETURN(const pki::Credentials credentials, makeCredentials(authority, own, lifetime));
    HS_RETURN_IF_ERROR(pki::writeCredentials(directory, credentials));
    HS_ASSIGN_OR_RETURN(const std::string key, authority.keyPem());
    return pki::createPrivateFile(keyPath(directory), key);
}

}  // namespace

Issuer::Issuer(std::string state_directory, pki::Authority authority, pki::GrantKeys grant_keys,
               std::chrono::seconds lifetime)
    : state_directory_(std::move(state_directory)),
      authority_(std::move(authority)),
      grant_keys_(std::move(grant_keys)),
      lifetime_(lifetime) {}

absl::Status Issuer::checkNone(const std::string& state_directory) {
    const std::string directory = pkiDirectory(state_directory);
    if (!exists(directory)) return absl::OkStatus();
    return alreadyExists("there is an authority in " + directory + " already");
}

absl::Status Issuer::initialise(const std::string& state_directory, const pki::Identity& admin,
                                std::chrono::seconds lifetime) {
    HS_RETURN_IF_ERROR(checkNone(state_directory));
    HS_ASSIGN_OR_RETURN(const pki::Authority authority, pki::Authority::create());
    HS_ASSIGN_OR_RETURN(const pki::Credentials admins, makeCredentials(authority, admin, lifetime));
    HS_RETURN_IF_ERROR(pki::writeCredentials(state_directory + "/admin", admins));
    // The authority appears whole or not at all; until then another run begins anew.
    const std::string directory = pkiDirectory(state_directory);
    const std::string half = directory + ".new";
    HS_RETURN_IF_ERROR(removeTree(half));
    HS_RETURN_IF_ERROR(writeAuthority(half, authority, lifetime));
    if (::rename(half.c_str(), directory.c_str()) != 0) return errnoStatus(errno, "rename " + half);
    return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Issuer>> Issuer::open(const std::string& state_directory,
                                                     std::chrono::seconds lifetime) {
    const std::string directory = pkiDirectory(state_directory);
    if (!exists(directory)) {
        return failedPrecondition("there is no authority in " + directory + ": run `sliced init` first");
    }
    HS_ASSIGN_OR_RETURN(const std::string key, readFile(keyPath(directory)));
    HS_ASSIGN_OR_RETURN(const std::string certificate, readFile(pki::authorityPath(directory)));
    HS_ASSIGN_OR_RETURN_CTX(pki::Authority authority, pki::Authority::parse(key, certificate), directory);
    HS_ASSIGN_OR_RETURN(pki::GrantKeys grant_keys, pki::grantKeysOf(key));
    std::unique_ptr<Issuer> issuer(new Issuer(state_directory, std::move(authority), std::move(grant_keys), lifetime));
    HS_RETURN_IF_ERROR(issuer->renewOwn());
    return issuer;
}

absl::StatusOr<std::string> Issuer::issue(const std::string& request, const pki::Identity& identity) const {
    HS_ASSIGN_OR_RETURN(const pki::KeyHandle key, pki::keyOfRequest(request));
    HS_ASSIGN_OR_RETURN(const pki::Certificate certificate, authority_.issue(key, identity, lifetime_));
    return certificate.toPem();
}

absl::Status Issuer::renewOwn() {
    if (Utc::now() < renew_own_after_) return absl::OkStatus();
    HS_ASSIGN_OR_RETURN(const pki::Credentials present, pki::readCredentials(credentialsDirectory()));
    HS_ASSIGN_OR_RETURN(const pki::Certificate certificate, pki::Certificate::parse(present.certificate_pem));
    renew_own_after_ = certificate.renewAfter();
    if (Utc::now() < renew_own_after_) return absl::OkStatus();
    HS_ASSIGN_OR_RETURN(const pki::Identity identity, certificate.identity());
    HS_ASSIGN_OR_RETURN(const pki::Credentials renewed, makeCredentials(authority_, identity, lifetime_));
    return pki::writeCredentials(credentialsDirectory(), renewed);
}

std::string Issuer::credentialsDirectory() const { return pkiDirectory(state_directory_); }

}  // namespace homeslice::controller
