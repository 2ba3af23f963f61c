#include "tests/convergence/ownership_history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace homeslice::testing_support {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class HistoryTest : public ::testing::Test {
protected:
    void accepted(const std::string& node, uint64_t generation, const std::string& home_agent = "ha") {
        history_.add({OwnershipEvent::Kind::accepted, ++time_s_, home_agent, kAddress, node, generation});
    }
    void ended(const std::string& home_agent = "ha") {
        history_.add({OwnershipEvent::Kind::ended, ++time_s_, home_agent, kAddress, "", 0});
    }

    const Ipv6Address kAddress = Ipv6Address::parse("fd51:1ce:0:1::1:1").value();
    int64_t time_s_ = 0;
    OwnershipHistory history_;
};

TEST_F(HistoryTest, AHandoverToAHigherGenerationIsFine) {
    accepted("node1", 1);
    accepted("node1", 1);
    accepted("node2", 2);
    ended();
    accepted("node2", 2);
    accepted("node1", 3);
    EXPECT_THAT(history_.violations(), IsEmpty());
    EXPECT_EQ(history_.handovers(), 2U);
}

TEST_F(HistoryTest, WhatWasFencedMayNotComeBack) {
    accepted("node1", 1);
    accepted("node2", 2);
    ended();
    accepted("node1", 1);
    EXPECT_THAT(history_.violations(), ElementsAre(HasSubstr("on node1, generation 1, after generation 2 of node2")));
}

TEST_F(HistoryTest, OneGenerationIsOneNodes) {
    accepted("node1", 1);
    accepted("node2", 1, "ha2");
    EXPECT_THAT(history_.violations(), ElementsAre(HasSubstr("which was node1's")));
}

TEST_F(HistoryTest, TwoAtOnceAreSeen) {
    accepted("node1", 1);
    accepted("node2", 1);
    EXPECT_THAT(history_.violations(), ::testing::Contains(HasSubstr("while node1 owns it")));
}

}  // namespace
}  // namespace homeslice::testing_support
