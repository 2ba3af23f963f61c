#include "noded/mobility/keepalive_message.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/ipv4.h"
#include "base/nat.h"

namespace homeslice::mobility {
namespace {

const Ipv6Address kCareOf = behindNat(parseAddress("192.168.1.2").value(), "node1");
const std::string kKey(kKeepaliveKeySize, 'k');
const Keepalive kRequest{.care_of_address = kCareOf, .sequence = 0x0102030405060708};
const Keepalive kAnswer{.care_of_address = kCareOf,
                        .sequence = 7,
                        .seen = UdpEndpoint{.address = parseAddress("192.0.2.1").value(), .port = 4191}};

TEST(KeepaliveMessage, ComesBackAsItWas) {
    for (const Keepalive& keepalive : {kRequest, kAnswer}) {
        const auto datagram = encodeKeepalive(keepalive, kKey);
        EXPECT_EQ(decodeKeepalive(datagram), keepalive);
        EXPECT_TRUE(isSignedWith(datagram, kKey));
        EXPECT_EQ(datagram[0] >> 4, 0) << "no version of IP";
    }
}

TEST(KeepaliveMessage, EveryBitIsSigned) {
    const auto datagram = encodeKeepalive(kAnswer, kKey);
    for (size_t bit = 0; bit < 8 * datagram.size(); ++bit) {
        auto changed = datagram;
        changed[bit / 8] ^= static_cast<uint8_t>(1U << bit % 8);
        EXPECT_FALSE(isSignedWith(changed, kKey)) << bit;
    }
    EXPECT_FALSE(isSignedWith(datagram, std::string(kKeepaliveKeySize, 'x')));
    EXPECT_FALSE(isSignedWith(datagram, "")) << "before there is a key";
}

TEST(KeepaliveMessage, RefusesWhatIsNone) {
    const auto sound = encodeKeepalive(kRequest, kKey);
    for (size_t size = 0; size < sound.size(); ++size) EXPECT_FALSE(decodeKeepalive(std::span(sound).first(size)));
    const std::vector<uint8_t> longer(sound.size() + 1);
    EXPECT_FALSE(decodeKeepalive(longer));
    for (const size_t at : {0u, 1u, 4u, 5u, 12u, 16u, 27u}) {  // magic, version, kind, zeros, no address behind a NAT
        auto bad = sound;
        bad[at] ^= 0x82;
        EXPECT_FALSE(decodeKeepalive(bad)) << at;
    }
}

}  // namespace
}  // namespace homeslice::mobility
