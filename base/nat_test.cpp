#include "base/nat.h"

#include <gtest/gtest.h>

#include "base/ipv4.h"

namespace homeslice {
namespace {

const Ipv6Address kPrivate = parseAddress("192.168.1.2").value();

TEST(Nat, AnAddressIsItsNodesAlone) {
    const Ipv6Address address = behindNat(kPrivate, "node1");
    EXPECT_TRUE(isBehindNat(address));
    EXPECT_TRUE(isIpv4(address));
    EXPECT_NE(address, behindNat(kPrivate, "node2"));
    EXPECT_TRUE(isBehindNatOf(address, "node1"));
    EXPECT_FALSE(isBehindNatOf(address, "node2"));
    EXPECT_EQ(beforeNat(address), kPrivate);
    EXPECT_EQ(Ipv6Address::fromBytes(address.toBytes()).value(), address);
}

TEST(Nat, OthersStayWhatTheyAre) {
    for (const char* text : {"192.0.2.1", "fd00::1", "::1", "::", "2001:db8:0:1::ffff:102:304"}) {
        const Ipv6Address address = parseAddress(text).value();
        EXPECT_FALSE(isBehindNat(address)) << text;
        EXPECT_FALSE(isBehindNatOf(address, "node1")) << text;
        EXPECT_EQ(beforeNat(address), address) << text;
    }
}

TEST(Nat, PeopleSeeTheAddressAndThatItIsBehindANat) {
    const Ipv6Address address = behindNat(kPrivate, "node1");
    EXPECT_EQ(addressText(address), "192.168.1.2 (NAT)");
    EXPECT_EQ(endpointText(address, 7401), "192.168.1.2:7401");
}

}  // namespace
}  // namespace homeslice
