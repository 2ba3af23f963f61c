#include "controller/core/names.h"

#include <gtest/gtest.h>

#include "controller/core/test_world.h"

namespace homeslice::controller {
namespace {

using testing_support::TestWorld;

std::vector<std::string> slicesIn(const NameTable& table) {
    std::vector<std::string> names;
    for (const SliceNames& slice : table.slices) names.push_back(slice.slice);
    return names;
}

TEST(Names, AreToldToEveryNodeAtOnceAndVanishWithTheRequestToDelete) {
    TestWorld world;
    world.addLab(3);
    const NameTable& elsewhere = world.node("node3").session->last_names;
    EXPECT_EQ(elsewhere.domain, "slivers.internal");
    EXPECT_TRUE(elsewhere.slices.empty());
    const uint64_t serial = elsewhere.serial;

    ASSERT_TRUE(world.create("web", {"node1", "node2"}).ok());
    ASSERT_EQ(slicesIn(elsewhere), std::vector<std::string>{"web"});
    EXPECT_EQ(elsewhere.slices[0].address.toString(), "fd51:1ce:0:1::1");
    ASSERT_EQ(elsewhere.slices[0].slivers.size(), 1U) << "two in a row";
    EXPECT_EQ(elsewhere.slices[0].slivers[0].index, 1U);
    EXPECT_EQ(elsewhere.slices[0].slivers[0].count, 2U);
    EXPECT_EQ(elsewhere.slices[0].slivers[0].addressOf(1).toString(), "fd51:1ce:0:1::1:2");
    EXPECT_GT(elsewhere.serial, serial);

    world.settle();
    ASSERT_TRUE(world.controller().deleteSlice("web", "").ok());
    EXPECT_TRUE(elsewhere.slices.empty());
}

TEST(Names, DoNotChangeByAMove) {
    TestWorld world;
    world.addLab(2);
    ASSERT_TRUE(world.create("web", {"node1"}).ok());
    world.settle();
    const NameTable before = world.node("node1").session->last_names;
    ASSERT_TRUE(world.controller().moveSliver({"web", 1}, "node2", "").ok());
    world.settle();
    EXPECT_EQ(world.controller().sliver({"web", 1})->node, "node2");
    EXPECT_EQ(world.node("node1").session->last_names, before);
}

TEST(Names, ANodeThatComesBackHearsThemAnew) {
    TestWorld world;
    world.addLab(1);
    ASSERT_TRUE(world.create("web", {"node1"}).ok());
    world.connect("node1");
    EXPECT_EQ(slicesIn(world.node("node1").session->last_names), std::vector<std::string>{"web"});
}

TEST(Names, SliversAskTheirNodeUnlessTheTemplateNamesServers) {
    const Ipv6Prefix prefix = Ipv6Prefix::parse("fd51:1ce::/48").value();
    Resolver resolver;
    fillResolver(resolver, prefix, "slivers.internal");
    EXPECT_EQ(resolver, (Resolver{.servers = {"fd51:1ce::53"}, .search = {"slivers.internal"}}));

    Resolver searching{.servers = {}, .search = {"example"}};
    fillResolver(searching, prefix, "slivers.internal");
    EXPECT_EQ(searching.search, (std::vector<std::string>{"example", "slivers.internal"}));

    const Resolver own{.servers = {"2001:db8::53"}, .search = {"example"}};
    Resolver kept = own;
    fillResolver(kept, prefix, "slivers.internal");
    EXPECT_EQ(kept, own);
}

}  // namespace
}  // namespace homeslice::controller
