#include "base/ipv4.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

namespace homeslice {
namespace {

TEST(Ipv4, IsHeldAsAMappedAddress) {
    const auto address = parseAddress("192.0.2.1");
    ASSERT_TRUE(address.ok()) << address.status();
    EXPECT_TRUE(isIpv4(*address));
    EXPECT_EQ(address->toString(), "::ffff:192.0.2.1");
    EXPECT_EQ(addressText(*address), "192.0.2.1");
    EXPECT_EQ(toIn4(*address).s_addr, htonl(0xc0000201));
    EXPECT_EQ(mappedAddress(toIn4(*address)), *address);
    EXPECT_EQ(parseAddress("::ffff:192.0.2.1").value(), *address);
}

TEST(Ipv4, Ipv6StaysWhatItIs) {
    const auto address = parseAddress("fd00::1");
    ASSERT_TRUE(address.ok()) << address.status();
    EXPECT_FALSE(isIpv4(*address));
    EXPECT_FALSE(isIpv4(Ipv6Address()));
    EXPECT_FALSE(isIpv4(parseAddress("::192.0.2.1").value()));
    EXPECT_EQ(addressText(*address), "fd00::1");
}

TEST(Ipv4, RefusesWhatIsNoAddress) {
    for (const char* bad : {"", "192.0.2", "192.0.2.1.1", "192.0.2.256", "192.0.2.1:80", "0x7f000001", "host"})
        EXPECT_FALSE(parseAddress(bad).ok()) << bad;
}

TEST(Ipv4, EndpointsHaveBracketsWhereTheyNeedThem) {
    EXPECT_EQ(endpointText(parseAddress("192.0.2.1").value(), 7401), "192.0.2.1:7401");
    EXPECT_EQ(endpointText(parseAddress("fd00::1").value(), 7401), "[fd00::1]:7401");
}

}  // namespace
}  // namespace homeslice
