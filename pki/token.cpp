#include "pki/token.h"

#include <openssl/evp.h>

#include <array>
#include <vector>

#include "base/names.h"
#include "base/status.h"
#include "pki/openssl.h"

namespace homeslice::pki {
namespace {

constexpr size_t kSecretDigits = 32;
constexpr size_t kFingerprintDigits = 64;
constexpr size_t kParts = 4;

bool isHex(const std::string& text, size_t digits) {
    return text.size() == digits && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

std::vector<std::string> partsOf(const std::string& text) {
    std::vector<std::string> parts;
    size_t begin = 0;
    for (size_t dot = 0; dot != std::string::npos && parts.size() <= kParts; begin = dot + 1) {
        dot = text.find('.', begin);
        parts.push_back(text.substr(begin, dot == std::string::npos ? dot : dot - begin));
    }
    return parts;
}

}  // namespace

std::string Token::toString() const {
    return std::string(pki::toString(kind)) + "." + name + "." + secret + "." + fingerprint;
}

absl::StatusOr<Token> parseToken(const std::string& text) {
    const std::vector<std::string> parts = partsOf(text);
    const bool fine = parts.size() == kParts && (parts[0] == "node" || parts[0] == "user") &&
                      checkName("name", parts[1]).ok() && isHex(parts[2], kSecretDigits) &&
                      isHex(parts[3], kFingerprintDigits);
    if (!fine)
        return invalidArgument("this is no token: take it whole from `slicectl node token` or `slicectl user add`");
    return Token{parts[0] == "node" ? Kind::node : Kind::user, parts[1], parts[2], parts[3]};
}

std::string digestOf(const std::string& secret) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    if (EVP_Digest(secret.data(), secret.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1) return "";
    return hexOf(digest.data(), size);
}

}  // namespace homeslice::pki
