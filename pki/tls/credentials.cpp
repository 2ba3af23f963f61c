#include "pki/tls/credentials.h"

#include <grpcpp/security/tls_certificate_verifier.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "pki/files.h"

namespace homeslice::tls {
namespace {

namespace experimental = grpc::experimental;

constexpr unsigned kLookEverySeconds = 1;

std::shared_ptr<grpc::Channel> makeChannel(const std::string& target, const std::string& server_name,
                                           const experimental::TlsChannelCredentialsOptions& options,
                                           grpc::ChannelArguments arguments) {
    arguments.SetSslTargetNameOverride(server_name);
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    return grpc::CreateCustomChannel(target, experimental::TlsCredentials(options), arguments);
}

std::string lastCertificateOf(const std::string& chain) {
    const size_t begin = chain.rfind("-----BEGIN CERTIFICATE-----");
    return begin == std::string::npos ? "" : chain.substr(begin);
}

// A newcomer has no authority yet: it is the last certificate of the chain that the server shows, if its fingerprint is
// the one that the token promised.
class FingerprintVerifier : public experimental::ExternalCertificateVerifier {
public:
    explicit FingerprintVerifier(std::string fingerprint) : fingerprint_(std::move(fingerprint)) {}

    bool Verify(experimental::TlsCustomVerificationCheckRequest* request,
                std::function<void(grpc::Status)> /*callback*/, grpc::Status* status) override {
        const auto text = [](const grpc::string_ref& ref) { return std::string(ref.data(), ref.size()); };
        if (!isController(text(request->peer_cert()), text(request->peer_cert_full_chain()))) {
            *status = {grpc::StatusCode::UNAUTHENTICATED, "this is not the controller that gave the token"};
        }
        return true;
    }
    void Cancel(experimental::TlsCustomVerificationCheckRequest* /*request*/) override {}

private:
    bool isController(const std::string& leaf, const std::string& chain) const {
        const auto certificate = pki::Certificate::parse(leaf);
        const auto authority = pki::Certificate::parse(lastCertificateOf(chain));
        if (!certificate.ok() || !authority.ok() || authority->fingerprint() != fingerprint_) return false;
        const auto identity = certificate->identity();
        return certificate->isSignedBy(*authority) && identity.ok() && identity->kind == pki::Kind::controller &&
               certificate->notAfter() > Utc::now();
    }

    const std::string fingerprint_;
};

}  // namespace

Credentials::Credentials(std::string directory, const pki::Certificate& certificate, pki::Identity identity,
                         std::shared_ptr<Provider> provider)
    : directory_(std::move(directory)),
      identity_(std::move(identity)),
      lifetime_(std::chrono::duration_cast<std::chrono::seconds>(certificate.notAfter() - certificate.notBefore())),
      provider_(std::move(provider)) {}

absl::StatusOr<std::shared_ptr<Credentials>> Credentials::open(const std::string& directory) {
    HS_ASSIGN_OR_RETURN(const pki::Credentials files, pki::readCredentials(directory));
    HS_ASSIGN_OR_RETURN(const pki::Certificate certificate, pki::Certificate::parse(files.certificate_pem));
    HS_ASSIGN_OR_RETURN(pki::Identity identity, certificate.identity());
    const std::string path = pki::identityPath(directory);
    auto provider = std::make_shared<Provider>(path, path, pki::authorityPath(directory), kLookEverySeconds);
    return std::shared_ptr<Credentials>(
        new Credentials(directory, certificate, std::move(identity), std::move(provider)));
}

std::shared_ptr<grpc::ServerCredentials> Credentials::forServer(ClientCertificate wanted) const {
    experimental::TlsServerCredentialsOptions options(provider_);
    options.watch_identity_key_cert_pairs();
    options.watch_root_certs();
    options.set_cert_request_type(wanted == ClientCertificate::required
                                      ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                                      : GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY);
    return experimental::TlsServerCredentials(options);
}

std::shared_ptr<grpc::Channel> Credentials::channel(const std::string& target, const std::string& server_name,
                                                    const grpc::ChannelArguments& arguments) const {
    experimental::TlsChannelCredentialsOptions options;
    options.set_certificate_provider(provider_);
    options.watch_identity_key_cert_pairs();
    options.watch_root_certs();
    return makeChannel(target, server_name, options, arguments);
}

// A third of the lifetime is left when a certificate is renewed: half of that is for connections, three sixteenths are
// for streams, and the rest for being late.
std::chrono::milliseconds connectionAge(std::chrono::seconds lifetime) {
    constexpr std::chrono::minutes kLongest{5};
    return std::min<std::chrono::milliseconds>(kLongest, std::chrono::milliseconds(lifetime) / 6);
}

std::chrono::milliseconds streamAge(std::chrono::seconds lifetime) { return std::chrono::milliseconds(lifetime) / 16; }

std::shared_ptr<grpc::Channel> newcomerChannel(const std::string& target, const pki::Token& token) {
    experimental::TlsChannelCredentialsOptions options;
    options.set_verify_server_certs(false);  // by gRPC, which would want to know the authority
    options.set_certificate_verifier(
        experimental::ExternalCertificateVerifier::Create<FingerprintVerifier>(token.fingerprint));
    options.set_check_call_host(false);
    return makeChannel(target, pki::kControllerName, options, grpc::ChannelArguments());
}

absl::StatusOr<Peer> peerOf(const grpc::AuthContext& context) {
    const auto certificates = context.FindPropertyValues(GRPC_X509_PEM_CERT_PROPERTY_NAME);
    if (certificates.empty()) return absl::UnauthenticatedError("a certificate is needed");
    HS_ASSIGN_OR_RETURN(const pki::Certificate certificate,
                        pki::Certificate::parse(std::string(certificates.front().data(), certificates.front().size())));
    HS_ASSIGN_OR_RETURN(pki::Identity identity, certificate.identity());
    // TLS looked at it when the connection was made.
    if (certificate.notAfter() <= Utc::now()) {
        return absl::UnauthenticatedError("the certificate of " + describe(identity) + " has expired");
    }
    return Peer{std::move(identity), certificate.notAfter()};
}

}  // namespace homeslice::tls
