#include "noded/mobility/advertisement_message.h"

#include <endian.h>

#include <algorithm>
#include <cstring>

namespace homeslice::mobility {
namespace {

struct Message {
    std::array<char, 4> magic;
    uint8_t version;
    uint8_t priority;
    uint16_t interval_ms;
    uint64_t term;
    std::array<uint8_t, 16> prefix;
    uint8_t prefix_length;
    std::array<uint8_t, 7> zero;
};
static_assert(sizeof(Message) == kAdvertisementSize);

constexpr std::array<char, 4> kMagic{'H', 'S', 'H', 'A'};
constexpr uint8_t kVersion = 1;
constexpr uint16_t kLongestIntervalMs = 10'000;

}  // namespace

std::array<uint8_t, kAdvertisementSize> encodeAdvertisement(const Ipv6Prefix& home_prefix,
                                                            const Advertisement& advertisement) {
    const Message message{.magic = kMagic,
                          .version = kVersion,
                          .priority = advertisement.priority,
                          .interval_ms = htobe16(static_cast<uint16_t>(advertisement.interval.count())),
                          .term = htobe64(advertisement.term),
                          .prefix = home_prefix.address().bytes(),
                          .prefix_length = home_prefix.length(),
                          .zero = {}};
    std::array<uint8_t, kAdvertisementSize> datagram{};
    std::memcpy(datagram.data(), &message, sizeof message);
    return datagram;
}

std::optional<Advertisement> decodeAdvertisement(const Ipv6Prefix& home_prefix, std::span<const uint8_t> datagram) {
    Message message{};
    if (datagram.size() != sizeof message) return std::nullopt;
    std::memcpy(&message, datagram.data(), sizeof message);
    const uint16_t interval_ms = be16toh(message.interval_ms);
    if (message.magic != kMagic || message.version != kVersion) return std::nullopt;
    if (interval_ms == 0 || interval_ms > kLongestIntervalMs || message.priority == 255) return std::nullopt;
    if (message.prefix != home_prefix.address().bytes() || message.prefix_length != home_prefix.length())
        return std::nullopt;
    return Advertisement{.term = be64toh(message.term),
                         .priority = message.priority,
                         .interval = std::chrono::milliseconds(interval_ms)};
}

}  // namespace homeslice::mobility
