#include "pki/files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/file.h"
#include "base/status.h"

namespace homeslice::pki {
namespace {

constexpr unsigned kPrivateDirectory = 0700;
constexpr unsigned kPrivateFile = 0600;
constexpr unsigned kPublicFile = 0644;
constexpr unsigned kOthers = 0077;

absl::Status checkPrivate(int fd, const std::string& path) {
    struct stat info {};
    if (::fstat(fd, &info) != 0) return errnoStatus(errno, "stat " + path);
    if ((info.st_mode & kOthers) == 0) return absl::OkStatus();
    return failedPrecondition("others may read the key in " + path + ": chmod 600 it");
}

absl::Status checkTogether(const Credentials& credentials) {
    HS_ASSIGN_OR_RETURN(const Certificate authority, Certificate::parse(credentials.authority_pem));
    HS_ASSIGN_OR_RETURN(const Certificate certificate, Certificate::parse(credentials.certificate_pem));
    HS_ASSIGN_OR_RETURN(const KeyHandle key, parseKey(credentials.key_pem));
    HS_RETURN_IF_ERROR(certificate.identity().status());
    if (!certificate.isOf(key)) return invalidArgument("the certificate is of another key");
    if (!certificate.isSignedBy(authority)) return invalidArgument("the certificate is of another authority");
    return absl::OkStatus();
}

}  // namespace

std::string authorityPath(const std::string& directory) { return directory + "/authority.pem"; }

std::string identityPath(const std::string& directory) { return directory + "/identity.pem"; }

absl::Status writeCredentials(const std::string& directory, const Credentials& credentials) {
    HS_RETURN_IF_ERROR(makeDirectories(directory, kPrivateDirectory));
    HS_RETURN_IF_ERROR(replaceFile(authorityPath(directory), credentials.authority_pem, kPublicFile));
    return replaceFile(identityPath(directory), credentials.key_pem + credentials.certificate_pem, kPrivateFile);
}

absl::StatusOr<Credentials> readCredentials(const std::string& directory) {
    const std::string path = identityPath(directory);
    HS_ASSIGN_OR_RETURN(const UniqueFd fd, openFile(path, O_RDONLY));
    HS_RETURN_IF_ERROR(checkPrivate(fd.get(), path));
    HS_ASSIGN_OR_RETURN(const std::string identity, readAll(fd.get()));
    Credentials credentials;
    HS_ASSIGN_OR_RETURN(credentials.authority_pem, readFile(authorityPath(directory)));
    const size_t certificate = identity.find("-----BEGIN CERTIFICATE-----");
    if (certificate == std::string::npos) return invalidArgument(path + ": there is no certificate in it");
    credentials.key_pem = identity.substr(0, certificate);
    credentials.certificate_pem = identity.substr(certificate);
    HS_RETURN_IF_ERROR_CTX(checkTogether(credentials), directory);
    return credentials;
}

absl::Status createPrivateFile(const std::string& path, const std::string& content) {
    HS_ASSIGN_OR_RETURN(const UniqueFd fd, openFile(path, O_WRONLY | O_CREAT | O_EXCL, kPrivateFile));
    HS_RETURN_IF_ERROR_CTX(writeAll(fd.get(), content), path);
    if (::fsync(fd.get()) != 0) return errnoStatus(errno, "fsync " + path);
    return absl::OkStatus();
}

}  // namespace homeslice::pki
