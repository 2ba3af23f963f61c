#include "pki/openssl.h"

#include <openssl/err.h>

#include <array>

#include "base/status.h"

namespace homeslice::pki {

BioHandle readFrom(const std::string& pem) {
    return BioHandle(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

BioHandle writeInto() { return BioHandle(BIO_new(BIO_s_mem())); }

std::string contentOf(const BioHandle& bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &data);
    return size > 0 ? std::string(data, static_cast<size_t>(size)) : std::string();
}

std::string hexOf(const unsigned char* bytes, size_t size) {
    constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    for (size_t i = 0; i < size; ++i) {
        text += kDigits[bytes[i] >> 4];
        text += kDigits[bytes[i] & 0xf];
    }
    return text;
}

absl::Status opensslError(const std::string& what) {
    std::array<char, 256> text{};
    ERR_error_string_n(ERR_peek_last_error(), text.data(), text.size());
    dropErrors();
    return internalError(what + ": " + text.data());
}

void dropErrors() { ERR_clear_error(); }

}  // namespace homeslice::pki
