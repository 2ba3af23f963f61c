#include "oci/sha256.h"

#include <fcntl.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "base/file.h"
#include "base/status.h"
#include "oci/archive.h"

namespace homeslice::oci {
namespace {

constexpr std::string_view kAlgorithm = "sha256:";
constexpr size_t kBufferSize = size_t{1} << 20;

}  // namespace

void Sha256::Free::operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }

Sha256::Sha256() : context_(EVP_MD_CTX_new()) { EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr); }

void Sha256::update(std::string_view data) { EVP_DigestUpdate(context_.get(), data.data(), data.size()); }

std::string Sha256::finish() {
    unsigned char raw[EVP_MAX_MD_SIZE] = {};
    unsigned size = 0;
    EVP_DigestFinal_ex(context_.get(), raw, &size);
    std::string text(kAlgorithm);
    for (unsigned i = 0; i < size; ++i) {
        constexpr char kHex[] = "0123456789abcdef";
        text += kHex[raw[i] >> 4U];
        text += kHex[raw[i] & 0xfU];
    }
    return text;
}

absl::StatusOr<std::string> digestOf(const std::string& path) {
    HS_ASSIGN_OR_RETURN(const UniqueFd fd, openFile(path, O_RDONLY));
    Sha256 hash;
    std::vector<char> buffer(kBufferSize);
    for (;;) {
        const ssize_t n = ::read(fd.get(), buffer.data(), buffer.size());
        if (n == 0) return hash.finish();
        if (n > 0) {
            hash.update({buffer.data(), static_cast<size_t>(n)});
        } else if (errno != EINTR) {
            return errnoStatus(errno, "read(" + path + ")");
        }
    }
}

bool isDigest(const std::string& text) {
    const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
    return text.size() == kAlgorithm.size() + 64 && text.starts_with(kAlgorithm) &&
           std::all_of(text.begin() + kAlgorithm.size(), text.end(), is_hex);
}

}  // namespace homeslice::oci
