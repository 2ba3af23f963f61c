#include "controller/addresses/addresses.h"

#include <gtest/gtest.h>

namespace homeslice::controller {
namespace {

Ipv6Prefix prefix(const std::string& text) { return Ipv6Prefix::parse(text).value(); }

const Ipv6Prefix kHome = prefix("fd51:1ce::/48");
const Ipv6Prefix kTiny = prefix("fd51:1ce::/62");  // numbers 1, 2 and 3

TEST(Addresses, FollowTheLayout) {
    EXPECT_EQ(slicePrefix(kHome, 0x1a).toString(), "fd51:1ce:0:1a::/64");
    EXPECT_EQ(sliceAddress(kHome, 1).toString(), "fd51:1ce:0:1::1");
    EXPECT_EQ(sliverAddress(kHome, 1, 2).toString(), "fd51:1ce:0:1::1:2");
    EXPECT_EQ(sliverAddress(kHome, 0xffff, 65535).toString(), "fd51:1ce:0:ffff::1:ffff");
}

TEST(Addresses, NumbersGrowAndWrapPastThoseInUse) {
    EXPECT_EQ(*nextSliceNumber(kHome, 0, {}), 1U);
    EXPECT_EQ(*nextSliceNumber(kHome, 7, {1, 2}), 8U);
    EXPECT_EQ(*nextSliceNumber(kHome, 7, {8, 9}), 10U);
    EXPECT_EQ(*nextSliceNumber(kHome, 0xffff, {1}), 2U);
    EXPECT_EQ(*nextSliceNumber(kTiny, 2, {1, 3}), 2U);
}

TEST(Addresses, RunOut) {
    EXPECT_EQ(nextSliceNumber(kTiny, 1, {1, 2, 3}).status().code(), absl::StatusCode::kResourceExhausted);
}

TEST(Addresses, OwnerIsTheReverse) {
    const auto sliver = ownerOf(kHome, sliverAddress(kHome, 300, 65535));
    ASSERT_TRUE(sliver.has_value());
    EXPECT_EQ(sliver->number, 300U);
    EXPECT_EQ(sliver->index, 65535U);
    const auto slice = ownerOf(kHome, sliceAddress(kHome, 300));
    ASSERT_TRUE(slice.has_value());
    EXPECT_EQ(slice->index, 0U);
    EXPECT_FALSE(ownerOf(kHome, Ipv6Address::parse("fd51:1ce:0:1::2").value()).has_value());
    EXPECT_FALSE(ownerOf(kHome, Ipv6Address::parse("fd51:1ce:0:1::1:0").value()).has_value());
    EXPECT_FALSE(ownerOf(kHome, Ipv6Address::parse("fd00::1").value()).has_value());
}

TEST(Addresses, HomePrefixMustFit) {
    EXPECT_TRUE(checkHomePrefix(kHome).ok());
    EXPECT_FALSE(checkHomePrefix(prefix("fd51:1ce::/64")).ok());
    EXPECT_FALSE(checkHomePrefix(prefix("fd00::/16")).ok());
    EXPECT_FALSE(checkHomePrefix(prefix("fe80::/48")).ok());
}

}  // namespace
}  // namespace homeslice::controller
