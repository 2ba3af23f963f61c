#include "pki/grant.h"

#include <gtest/gtest.h>

namespace homeslice::pki {
namespace {

AddressClaim claim() {
    return {.node = "node1", .home_address = *Ipv6Address::parse("fd51:1ce::1:1"), .binding_id = 0, .generation = 7};
}

TEST(GrantTest, HoldsForItsClaimAlone) {
    const std::string key = grantKeysOf("key of an authority").value().shared;
    const std::string grant = grantOf(key, claim());
    EXPECT_TRUE(isGrantOf(grant, key, claim()));

    AddressClaim other = claim();
    other.node = "node2";
    EXPECT_FALSE(isGrantOf(grant, key, other));
    other = claim();
    other.home_address = *Ipv6Address::parse("fd51:1ce::1:2");
    EXPECT_FALSE(isGrantOf(grant, key, other));
    other = claim();
    other.binding_id = 1;
    EXPECT_FALSE(isGrantOf(grant, key, other));
    other = claim();
    other.generation = 8;
    EXPECT_FALSE(isGrantOf(grant, key, other));
}

TEST(GrantTest, IsOfOneAuthority) {
    const std::string grant = grantOf(grantKeysOf("one").value().shared, claim());
    EXPECT_FALSE(isGrantOf(grant, grantKeysOf("another").value().shared, claim()));
    EXPECT_EQ(grantKeysOf("one").value().shared, grantKeysOf("one").value().shared);
}

TEST(GrantTest, WhatIsNoGrantIsRefused) {
    const std::string key = grantKeysOf("key").value().shared;
    EXPECT_FALSE(isGrantOf("", key, claim()));
    EXPECT_FALSE(isGrantOf(grantOf(key, claim()).substr(1), key, claim()));
    EXPECT_FALSE(isGrantOf(grantOf(key, claim()) + "0", key, claim()));
}

TEST(Grant, OfSingleNodesTellNothingOfEachOther) {
    const GrantKeys keys = grantKeysOf("key of an authority").value();
    EXPECT_EQ(nodeGrantKeyOf(keys, "node1"), nodeGrantKeyOf(keys, "node1"));
    EXPECT_NE(nodeGrantKeyOf(keys, "node1"), nodeGrantKeyOf(keys, "node2"));
    EXPECT_NE(nodeGrantKeyOf(keys, "node1"), nodeGrantKeyOf(grantKeysOf("another").value(), "node1"));
    EXPECT_NE(keys.shared, keys.withheld);
}

}  // namespace
}  // namespace homeslice::pki
