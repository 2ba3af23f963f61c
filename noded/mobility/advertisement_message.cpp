#include "noded/mobility/advertisement_message.h"

#include <endian.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "pki/message_code.h"

namespace homeslice::mobility {
namespace {

struct Message {
    std::array<char, 4> magic;
    uint8_t version;
    uint8_t kind;
    uint8_t priority;
    uint8_t prefix_length;
    std::array<uint8_t, 16> prefix;
    uint64_t term;
    uint64_t life;
    uint64_t sequence;
    Nonce nonce;
    uint16_t interval_ms;
    std::array<uint8_t, 6> zero;
    pki::MessageCode code;
};
static_assert(sizeof(Message) == kAdvertisementSize);

constexpr std::array<char, 4> kMagic{'H', 'S', 'H', 'A'};
constexpr uint8_t kVersion = 2;
constexpr uint16_t kLongestIntervalMs = 10'000;
constexpr size_t kSigned = offsetof(Message, code);

// What the code is over.
std::vector<uint8_t> signedPart(const Correspondence& between, std::span<const uint8_t> datagram) {
    std::vector<uint8_t> text(datagram.begin(), datagram.begin() + kSigned);
    for (const Ipv6Address& address : {between.from, between.to})
        text.insert(text.end(), address.bytes().begin(), address.bytes().end());
    return text;
}

bool isSound(const Message& message, const Ipv6Prefix& home_prefix) {
    const uint16_t interval_ms = be16toh(message.interval_ms);
    return message.magic == kMagic && message.version == kVersion &&
           message.kind <= static_cast<uint8_t>(HomeAgentMessage::Kind::challenge) && interval_ms != 0 &&
           interval_ms <= kLongestIntervalMs && message.priority != 255 &&
           message.prefix == home_prefix.address().bytes() && message.prefix_length == home_prefix.length();
}

}  // namespace

std::optional<std::array<uint8_t, kAdvertisementSize>> encodeMessage(const Correspondence& between,
                                                                     const HomeAgentMessage& message) {
    const Advertisement& advertisement = message.advertisement;
    const Message wire{.magic = kMagic,
                       .version = kVersion,
                       .kind = static_cast<uint8_t>(message.kind),
                       .priority = advertisement.priority,
                       .prefix_length = between.home_prefix.length(),
                       .prefix = between.home_prefix.address().bytes(),
                       .term = htobe64(advertisement.term),
                       .life = htobe64(message.stamp.life),
                       .sequence = htobe64(message.stamp.sequence),
                       .nonce = message.stamp.nonce,
                       .interval_ms = htobe16(static_cast<uint16_t>(advertisement.interval.count())),
                       .zero = {},
                       .code = {}};
    std::array<uint8_t, kAdvertisementSize> datagram{};
    std::memcpy(datagram.data(), &wire, sizeof wire);
    const auto code = pki::messageCodeOf(between.key, signedPart(between, datagram));
    if (!code) return std::nullopt;
    std::copy(code->begin(), code->end(), datagram.begin() + kSigned);
    return datagram;
}

std::optional<HomeAgentMessage> decodeMessage(const Correspondence& between, std::span<const uint8_t> datagram) {
    Message wire{};
    if (datagram.size() != sizeof wire) return std::nullopt;
    if (!pki::isMessageCodeOf(datagram.subspan(kSigned), between.key, signedPart(between, datagram)))
        return std::nullopt;
    std::memcpy(&wire, datagram.data(), sizeof wire);
    if (!isSound(wire, between.home_prefix)) return std::nullopt;
    return HomeAgentMessage{
        .kind = static_cast<HomeAgentMessage::Kind>(wire.kind),
        .advertisement = {.term = be64toh(wire.term),
                          .priority = wire.priority,
                          .interval = std::chrono::milliseconds(be16toh(wire.interval_ms))},
        .stamp = {.life = be64toh(wire.life), .sequence = be64toh(wire.sequence), .nonce = wire.nonce}};
}

}  // namespace homeslice::mobility
