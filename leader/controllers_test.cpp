#include "leader/controllers.h"

#include <gtest/gtest.h>

namespace homeslice::leader {
namespace {

using List = std::vector<std::string>;

Controllers make(const List& addresses, int* made = nullptr) {
    return Controllers(addresses, [made](const std::string& address) {
        if (made != nullptr) ++*made;
        return grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
    });
}

TEST(SplitAddresses, LeavesOutWhatIsEmpty) {
    EXPECT_EQ(splitAddresses("a:1"), List{"a:1"});
    EXPECT_EQ(splitAddresses("a:1,[::1]:2,,b:3,"), (List{"a:1", "[::1]:2", "b:3"}));
    EXPECT_EQ(splitAddresses(""), List());
    EXPECT_EQ(splitAddresses(","), List());
}

TEST(Controllers, GoesRoundWhileNobodyIsNamed) {
    Controllers controllers = make({"a:1", "b:1"});
    EXPECT_EQ(controllers.current().address, "a:1");
    EXPECT_FALSE(controllers.turnFrom("a:1", ""));
    EXPECT_EQ(controllers.current().address, "b:1");
    controllers.turnFrom("b:1", "");
    EXPECT_EQ(controllers.current().address, "a:1");
}

TEST(Controllers, FollowsWhoIsNamedAlsoOneThatIsNotInTheList) {
    Controllers controllers = make({"a:1"});
    EXPECT_FALSE(controllers.several());
    EXPECT_TRUE(controllers.turnFrom("a:1", "c:1"));
    EXPECT_EQ(controllers.current().address, "c:1");
    EXPECT_TRUE(controllers.several());
    controllers.turnFrom("c:1", "");
    EXPECT_EQ(controllers.current().address, "a:1");
}

TEST(Controllers, LearnsOfOneWithoutTurningToIt) {
    Controllers controllers = make({"a:1"});
    controllers.learn("");
    controllers.learn("c:1");
    EXPECT_EQ(controllers.addresses(), (List{"a:1", "c:1"}));
    EXPECT_EQ(controllers.current().address, "a:1");
    EXPECT_EQ(controllers.at("c:1").address, "c:1");
}

TEST(Controllers, WhatIsLateChangesNothing) {
    Controllers controllers = make({"a:1", "b:1", "c:1"});
    controllers.turnFrom("a:1", "c:1");
    controllers.turnFrom("a:1", "");
    EXPECT_EQ(controllers.current().address, "c:1");
}

// One that thinks it does not lead, and names itself, must not hold a client.
TEST(Controllers, WhoNamesItselfIsLeft) {
    Controllers controllers = make({"a:1", "b:1"});
    controllers.turnFrom("a:1", "a:1");
    EXPECT_EQ(controllers.current().address, "b:1");
}

TEST(Controllers, KeepsItsChannelsAndNoMoreThanAFew) {
    int made = 0;
    Controllers controllers = make({"a:1"}, &made);
    const auto channel = controllers.current().channel;
    EXPECT_EQ(controllers.current().channel, channel);
    EXPECT_EQ(made, 1);
    constexpr int kNames = 1000;
    for (int i = 0; i < kNames; ++i) {
        controllers.turnFrom(controllers.current().address, "liar:" + std::to_string(i));
        controllers.current();
    }
    EXPECT_LT(made, 100);
}

}  // namespace
}  // namespace homeslice::leader
