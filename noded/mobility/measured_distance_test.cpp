#include "noded/mobility/measured_distance.h"

#include <gtest/gtest.h>

namespace homeslice::mobility {
namespace {

using std::chrono::milliseconds;

TEST(MeasuredDistance, IsTheLeastOfTheLastAnswers) {
    MeasuredDistance distance;
    EXPECT_FALSE(distance.value());
    distance.answered(milliseconds(900));  // the first waits for neighbour discovery
    EXPECT_EQ(distance.value(), milliseconds(900));
    distance.answered(milliseconds(10));
    for (int spike = 0; spike < 6; ++spike) distance.answered(milliseconds(500));
    EXPECT_EQ(distance.value(), milliseconds(10));
    EXPECT_FALSE(distance.isRough());
    distance.answered(milliseconds(40));
    EXPECT_EQ(distance.value(), milliseconds(10));
    distance.answered(milliseconds(50));
    EXPECT_EQ(distance.value(), milliseconds(40)) << "a path that has become longer";
}

TEST(MeasuredDistance, ThreeLostInARowAreAway) {
    MeasuredDistance distance;
    distance.answered(milliseconds(10));
    distance.unanswered();
    distance.unanswered();
    distance.answered(milliseconds(12));
    distance.unanswered();
    distance.unanswered();
    EXPECT_TRUE(distance.value());
    distance.unanswered();
    EXPECT_TRUE(distance.isAway());
    EXPECT_FALSE(distance.value());
    distance.unanswered();
    distance.answered(milliseconds(12));
    EXPECT_EQ(distance.value(), milliseconds(10));
}

}  // namespace
}  // namespace homeslice::mobility
