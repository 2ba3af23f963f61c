#include "pki/certificate.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "base/status.h"
#include "pki/openssl.h"

namespace homeslice::pki {
namespace {

struct FreeNames {
    void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
};

Utc::time_point timeOf(const ASN1_TIME* time) {
    std::tm parts{};
    if (ASN1_TIME_to_tm(time, &parts) != 1) return Utc::time_point::min();
    return Utc::from_time_t(::timegm(&parts));
}

}  // namespace

Certificate::Certificate(X509* certificate) : certificate_(certificate, X509_free) {}

absl::StatusOr<Certificate> Certificate::parse(const std::string& pem) {
    X509* const certificate = PEM_read_bio_X509(readFrom(pem).get(), nullptr, nullptr, nullptr);
    dropErrors();
    if (certificate == nullptr) return invalidArgument("there is no certificate in it");
    return Certificate(certificate);
}

absl::StatusOr<Identity> Certificate::identity() const {
    const std::unique_ptr<GENERAL_NAMES, FreeNames> names(
        static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate_.get(), NID_subject_alt_name, nullptr, nullptr)));
    for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
        const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), i);
        if (name->type != GEN_URI) continue;
        const ASN1_IA5STRING* const uri = name->d.uniformResourceIdentifier;
        return parseUri(std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(uri)),
                                    static_cast<size_t>(ASN1_STRING_length(uri))));
    }
    return invalidArgument("the certificate names no identity");
}

Utc::time_point Certificate::notBefore() const { return timeOf(X509_get0_notBefore(certificate_.get())); }

Utc::time_point Certificate::notAfter() const { return timeOf(X509_get0_notAfter(certificate_.get())); }

Utc::time_point Certificate::renewAfter() const { return notAfter() - (notAfter() - notBefore()) / 3; }

std::string Certificate::fingerprint() const {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    if (X509_digest(certificate_.get(), EVP_sha256(), digest.data(), &size) != 1) return "";
    return hexOf(digest.data(), size);
}

bool Certificate::isSignedBy(const Certificate& issuer) const {
    const bool is = X509_verify(certificate_.get(), X509_get0_pubkey(issuer.certificate_.get())) == 1;
    dropErrors();
    return is;
}

bool Certificate::isOf(const KeyHandle& key) const {
    return EVP_PKEY_eq(X509_get0_pubkey(certificate_.get()), key.get()) == 1;
}

std::string Certificate::toPem() const {
    const BioHandle out = writeInto();
    PEM_write_bio_X509(out.get(), certificate_.get());
    return contentOf(out);
}

}  // namespace homeslice::pki
