#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>

#include "base/status.h"
#include "pki/certificate.h"
#include "pki/openssl.h"

namespace homeslice::pki {
namespace {

constexpr std::chrono::hours kAuthorityLifetime{24 * 365 * 20};
constexpr std::chrono::seconds kClockSkew{300};

struct Extension {
    int nid;
    std::string value;  // as in x509v3_config(5)
};

bool setSerial(X509* certificate) {
    std::array<unsigned char, 16> bytes{};
    if (RAND_bytes(bytes.data(), bytes.size()) != 1) return false;
    bytes[0] &= 0x7f;  // a positive number (RFC 5280, 4.1.2.2)
    const std::unique_ptr<BIGNUM, decltype(&BN_free)> number(BN_bin2bn(bytes.data(), bytes.size(), nullptr), BN_free);
    return number != nullptr && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool setTimes(X509* certificate, std::chrono::seconds lifetime) {
    const auto now = Utc::to_time_t(Utc::now());
    const auto skew = std::min(kClockSkew, lifetime / 2);
    return ASN1_TIME_set(X509_getm_notBefore(certificate), now - skew.count()) != nullptr &&
           ASN1_TIME_set(X509_getm_notAfter(certificate), now + lifetime.count()) != nullptr;
}

bool setSubject(X509* certificate, const std::string& name) {
    X509_NAME* const subject = X509_get_subject_name(certificate);
    const auto add = [&](const char* field, const std::string& value) {
        return X509_NAME_add_entry_by_txt(subject, field, MBSTRING_UTF8,
                                          reinterpret_cast<const unsigned char*>(value.c_str()), -1, -1, 0) == 1;
    };
    return add("O", "homeslice") && add("CN", name);
}

bool addExtensions(X509* certificate, X509* issuer, const std::vector<Extension>& extensions) {
    X509V3_CTX context{};
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    return std::all_of(extensions.begin(), extensions.end(), [&](const Extension& wanted) {
        const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> made(
            X509V3_EXT_conf_nid(nullptr, &context, wanted.nid, wanted.value.c_str()), X509_EXTENSION_free);
        return made != nullptr && X509_add_ext(certificate, made.get(), -1) == 1;
    });
}

// A certificate of version 3 with everything but names and extensions.
X509Handle makeBlank(EVP_PKEY* key, std::chrono::seconds lifetime) {
    X509Handle certificate(X509_new());
    const bool made = certificate != nullptr && X509_set_version(certificate.get(), X509_VERSION_3) == 1 &&
                      setSerial(certificate.get()) && setTimes(certificate.get(), lifetime) &&
                      X509_set_pubkey(certificate.get(), key) == 1;
    return made ? std::move(certificate) : nullptr;
}

std::string alternativeNames(const Identity& identity) {
    std::string names = "URI:" + toUri(identity);
    for (const std::string& name : serverNamesOf(identity)) names += ",DNS:" + name;
    return names;
}

}  // namespace

absl::StatusOr<Authority> Authority::create() {
    HS_ASSIGN_OR_RETURN(KeyHandle key, generateKey());
    X509Handle certificate = makeBlank(key.get(), kAuthorityLifetime);
    const bool made = certificate != nullptr && setSubject(certificate.get(), "homeslice authority") &&
                      X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate.get())) == 1 &&
                      addExtensions(certificate.get(), certificate.get(),
                                    {{NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
                                     {NID_key_usage, "critical,keyCertSign,cRLSign"},
                                     {NID_subject_key_identifier, "hash"}}) &&
                      X509_sign(certificate.get(), key.get(), EVP_sha256()) > 0;
    if (!made) return opensslError("make the authority's certificate");
    return Authority(std::move(key), Certificate(certificate.release()));
}

absl::StatusOr<Authority> Authority::parse(const std::string& key_pem, const std::string& certificate_pem) {
    HS_ASSIGN_OR_RETURN_CTX(KeyHandle key, parseKey(key_pem), "the authority's key");
    HS_ASSIGN_OR_RETURN_CTX(Certificate certificate, Certificate::parse(certificate_pem),
                            "the authority's certificate");
    if (!certificate.isOf(key)) return invalidArgument("the authority's key and certificate do not belong together");
    return Authority(std::move(key), std::move(certificate));
}

absl::StatusOr<Certificate> Authority::issue(const KeyHandle& key, const Identity& identity,
                                             std::chrono::seconds lifetime) const {
    X509* const issuer = certificate_.certificate_.get();
    X509Handle certificate = makeBlank(key.get(), lifetime);
    const bool serves = !serverNamesOf(identity).empty();
    const bool made = certificate != nullptr && setSubject(certificate.get(), identity.name) &&
                      X509_set_issuer_name(certificate.get(), X509_get_subject_name(issuer)) == 1 &&
                      addExtensions(certificate.get(), issuer,
                                    {{NID_basic_constraints, "critical,CA:FALSE"},
                                     {NID_key_usage, "critical,digitalSignature"},
                                     {NID_ext_key_usage, serves ? "clientAuth,serverAuth" : "clientAuth"},
                                     {NID_subject_key_identifier, "hash"},
                                     {NID_authority_key_identifier, "keyid"},
                                     {NID_subject_alt_name, alternativeNames(identity)}}) &&
                      X509_sign(certificate.get(), key_.get(), EVP_sha256()) > 0;
    if (!made) return opensslError("issue a certificate for " + describe(identity));
    return Certificate(certificate.release());
}

}  // namespace homeslice::pki
