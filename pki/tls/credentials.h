// gRPC's transport security from a credentials directory (pki/files.h). Both ends always show a certificate of the
// system's own authority, but for newcomers; see docs/adr/0010.
#pragma once

#include <absl/status/statusor.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/security/tls_certificate_provider.h>

#include <chrono>
#include <memory>
#include <string>

#include "pki/certificate.h"
#include "pki/token.h"

namespace homeslice::tls {

// Whether a client may come without a certificate (to ask for its first one). One that it shows must always be good.
enum class ClientCertificate { required, optional };

// The directory's content for servers and channels; when the files are replaced, new connections use the new ones
// within two seconds. Threads: any. Shared by everything made from it.
class Credentials {
public:
    static absl::StatusOr<std::shared_ptr<Credentials>> open(const std::string& directory);

    const std::string& directory() const { return directory_; }
    // As it was when this was opened; renewals do not change it.
    const pki::Identity& identity() const { return identity_; }
    // Of its certificate then, from its beginning to its end.
    std::chrono::seconds lifetime() const { return lifetime_; }

    std::shared_ptr<grpc::ServerCredentials> forServer(ClientCertificate wanted) const;
    // A channel that speaks only to a server whose certificate has `server_name` (pki/identity.h).
    std::shared_ptr<grpc::Channel> channel(const std::string& target, const std::string& server_name,
                                           const grpc::ChannelArguments& arguments) const;

private:
    using Provider = grpc::experimental::FileWatcherCertificateProvider;
    Credentials(std::string directory, const pki::Certificate& certificate, pki::Identity identity,
                std::shared_ptr<Provider> provider);

    const std::string directory_;
    const pki::Identity identity_;
    const std::chrono::seconds lifetime_;
    const std::shared_ptr<Provider> provider_;
};

// For how long a server should take new calls by one connection (GRPC_ARG_MAX_CONNECTION_AGE_MS), where certificates
// live for `lifetime`. A connection stands for the certificate that was shown when it was made: who renews in time,
// when a third is left, has to come by a new one before that is over. Five minutes at most.
std::chrono::milliseconds connectionAge(std::chrono::seconds lifetime);
// After how long whoever keeps a call open should put another in its place, which goes by a newer connection: the call
// is ended when the certificate of its own expires.
std::chrono::milliseconds streamAge(std::chrono::seconds lifetime);

// For somebody who has nothing but a token: a channel that shows no certificate, and speaks only to the controller of
// the authority whose fingerprint the token has.
std::shared_ptr<grpc::Channel> newcomerChannel(const std::string& target, const pki::Token& token);

// Whom the other end of a call's connection showed to be, checked against the authority by TLS itself.
struct Peer {
    pki::Identity identity;
    Utc::time_point expires;
};
// UNAUTHENTICATED when it showed no certificate, or one that has expired since.
absl::StatusOr<Peer> peerOf(const grpc::AuthContext& context);

}  // namespace homeslice::tls
