// What anybody can send to a home agent's UDP port, and what one who has the key could.
#include <algorithm>
#include <array>
#include <vector>

#include "noded/mobility/advertisement_message.h"
#include "pki/message_code.h"
#include "target.h"

namespace {

using namespace homeslice;

constexpr size_t kSigned = mobility::kAdvertisementSize - 32;
constexpr size_t kMeaning = 66;  // bytes; then, up to the code, is what later versions may use

mobility::Correspondence between() {
    return {.from = Ipv6Address::parse("fd00:51ce::1").value(),
            .to = Ipv6Address::parse("fd00:51ce::2").value(),
            .home_prefix = Ipv6Prefix::parse("fd51:1ce::/48").value(),
            .key = "key"};
}

std::vector<uint8_t> withCode(const mobility::Correspondence& parties, const uint8_t* data) {
    std::vector<uint8_t> text(data, data + kSigned);
    std::vector<uint8_t> datagram = text;
    for (const Ipv6Address& address : {parties.from, parties.to})
        text.insert(text.end(), address.bytes().begin(), address.bytes().end());
    const auto code = pki::messageCodeOf(parties.key, text).value();
    datagram.insert(datagram.end(), code.begin(), code.end());
    return datagram;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const mobility::Correspondence kBetween = between();
    fuzz::require(!mobility::decodeMessage(kBetween, {data, size}), "without the key nothing is taken");
    if (size < kSigned) return 0;
    const auto message = mobility::decodeMessage(kBetween, withCode(kBetween, data));
    if (!message) return 0;
    const auto again = mobility::encodeMessage(kBetween, *message);
    fuzz::require(again && mobility::decodeMessage(kBetween, *again).has_value(), "what was taken can be told on");
    fuzz::require(std::equal(again->begin(), again->begin() + kMeaning, data), "nothing else was taken");
    return 0;
}
