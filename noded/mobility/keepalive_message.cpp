#include "noded/mobility/keepalive_message.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <cstring>

#include "base/ipv4.h"
#include "base/nat.h"

namespace homeslice::mobility {
namespace {

constexpr std::array<uint8_t, 5> kBegin{0, 'H', 'S', 'K', 1};
constexpr size_t kKindAt = 5;
constexpr size_t kPortAt = 6;
constexpr size_t kAddressAt = 8;
constexpr size_t kZeroAt = 12;
constexpr size_t kCareOfAt = 16;
constexpr size_t kSequenceAt = 32;
constexpr size_t kCodeAt = 40;
constexpr size_t kCodeSize = kKeepaliveSize - kCodeAt;

std::array<uint8_t, kCodeSize> codeOf(std::span<const uint8_t> datagram, const std::string& key) {
    std::array<uint8_t, EVP_MAX_MD_SIZE> code{};
    HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), datagram.data(), kCodeAt, code.data(), nullptr);
    std::array<uint8_t, kCodeSize> result{};
    std::copy_n(code.begin(), kCodeSize, result.begin());
    return result;
}

void putNumber(uint8_t* to, size_t size, uint64_t number) {
    for (size_t i = 0; i < size; ++i) to[i] = static_cast<uint8_t>(number >> 8 * (size - 1 - i));
}

uint64_t numberAt(const uint8_t* from, size_t size) {
    uint64_t number = 0;
    for (size_t i = 0; i < size; ++i) number = number << 8 | from[i];
    return number;
}

}  // namespace

std::array<uint8_t, kKeepaliveSize> encodeKeepalive(const Keepalive& keepalive, const std::string& key) {
    std::array<uint8_t, kKeepaliveSize> datagram{};
    std::copy(kBegin.begin(), kBegin.end(), datagram.begin());
    if (keepalive.seen) {
        const in_addr address = toIn4(keepalive.seen->address);
        datagram[kKindAt] = 1;
        putNumber(datagram.data() + kPortAt, sizeof(uint16_t), keepalive.seen->port);
        std::memcpy(datagram.data() + kAddressAt, &address, sizeof address);
    }
    const auto& care_of = keepalive.care_of_address.bytes();
    std::copy(care_of.begin(), care_of.end(), datagram.begin() + kCareOfAt);
    putNumber(datagram.data() + kSequenceAt, sizeof(uint64_t), keepalive.sequence);
    const auto code = codeOf(datagram, key);
    std::copy(code.begin(), code.end(), datagram.begin() + kCodeAt);
    return datagram;
}

std::optional<Keepalive> decodeKeepalive(std::span<const uint8_t> datagram) {
    if (datagram.size() != kKeepaliveSize || !std::equal(kBegin.begin(), kBegin.end(), datagram.begin())) return {};
    if (datagram[kKindAt] > 1 || numberAt(datagram.data() + kZeroAt, kCareOfAt - kZeroAt) != 0) return {};
    Keepalive keepalive;
    std::array<uint8_t, 16> care_of{};
    std::copy_n(datagram.begin() + kCareOfAt, care_of.size(), care_of.begin());
    keepalive.care_of_address = Ipv6Address(care_of);
    if (!isBehindNat(keepalive.care_of_address)) return {};
    keepalive.sequence = numberAt(datagram.data() + kSequenceAt, sizeof(uint64_t));
    if (datagram[kKindAt] == 0) {
        const bool is_empty = numberAt(datagram.data() + kPortAt, kZeroAt - kPortAt) == 0;
        return is_empty ? std::optional(keepalive) : std::nullopt;
    }
    in_addr address{};
    std::memcpy(&address, datagram.data() + kAddressAt, sizeof address);
    keepalive.seen = {.address = mappedAddress(address),
                      .port = static_cast<uint16_t>(numberAt(datagram.data() + kPortAt, sizeof(uint16_t)))};
    return keepalive;
}

bool isSignedWith(std::span<const uint8_t> datagram, const std::string& key) {
    if (key.size() != kKeepaliveKeySize || datagram.size() != kKeepaliveSize) return false;
    const auto code = codeOf(datagram, key);
    return CRYPTO_memcmp(code.data(), datagram.data() + kCodeAt, code.size()) == 0;
}

}  // namespace homeslice::mobility
