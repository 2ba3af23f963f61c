#include "base/ipv6.h"

#include <gtest/gtest.h>

namespace homeslice {
namespace {

TEST(Ipv6Address, ParsesAndPrints) {
    const auto address = Ipv6Address::parse("fd51:01ce:0::1");
    ASSERT_TRUE(address.ok());
    EXPECT_EQ(address->toString(), "fd51:1ce::1");
    EXPECT_EQ(address->interfaceId(), 1U);
    EXPECT_EQ(Ipv6Address::fromBytes(address->toBytes()).value(), *address);
}

TEST(Ipv6Address, RefusesWhatIsNone) {
    for (const char* text : {"", "1.2.3.4", "fd51::1/64", "fe80::1%eth0", "g::"}) {
        EXPECT_FALSE(Ipv6Address::parse(text).ok()) << text;
    }
    EXPECT_FALSE(Ipv6Address::fromBytes("short").ok());
}

TEST(Ipv6Prefix, RefusesWhatIsNone) {
    for (const char* text : {"", "fd51::", "fd51::/129", "fd51::/", "fd51::/x", "fd51::1/64", "fd51::/-1"}) {
        EXPECT_FALSE(Ipv6Prefix::parse(text).ok()) << text;
    }
}

TEST(Ipv6Prefix, Contains) {
    const auto prefix = Ipv6Prefix::parse("fd51:1ce::/31").value();
    EXPECT_TRUE(prefix.contains(Ipv6Address::parse("fd51:1cf:ffff::1").value()));
    EXPECT_FALSE(prefix.contains(Ipv6Address::parse("fd51:1d0::1").value()));
    EXPECT_TRUE(Ipv6Prefix().contains(Ipv6Address::parse("::1").value()));
}

TEST(Ipv6Prefix, Subnets) {
    const auto prefix = Ipv6Prefix::parse("fd51:1ce::/48").value();
    EXPECT_EQ(prefix.subnet(0, 64)->toString(), "fd51:1ce::/64");
    EXPECT_EQ(prefix.subnet(0xabcd, 64)->toString(), "fd51:1ce:0:abcd::/64");
    EXPECT_FALSE(prefix.subnet(0x10000, 64).ok());
    EXPECT_FALSE(prefix.subnet(0, 40).ok());
    EXPECT_EQ(prefix.address().withInterfaceId(0x10002).toString(), "fd51:1ce::1:2");
}

}  // namespace
}  // namespace homeslice
