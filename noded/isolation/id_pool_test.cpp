#include "noded/isolation/id_pool.h"

#include <gtest/gtest.h>

namespace homeslice::isolation {
namespace {

TEST(IdPool, GivesDisjointRangesUntilNoneIsLeft) {
    IdPool pool(1'000'000, 2);
    EXPECT_EQ(pool.allocate()->first, 1'000'000U);
    EXPECT_EQ(pool.allocate()->first, 1'065'536U);
    EXPECT_EQ(pool.allocate().status().code(), absl::StatusCode::kResourceExhausted);
}

TEST(IdPool, AReleasedRangeIsGivenAgain) {
    IdPool pool(1'000'000, 2);
    const auto first = pool.allocate().value();
    pool.release(first);
    EXPECT_EQ(pool.allocate()->first, 1'065'536U) << "the other one first";
    EXPECT_EQ(pool.allocate()->first, first.first);
}

TEST(IdPool, DoesNotGiveWhatARecordHolds) {
    IdPool pool(1'000'000, 2);
    EXPECT_TRUE(pool.reserve({.first = 1'000'000, .count = kIdRangeSize}).ok());
    EXPECT_EQ(pool.reserve({.first = 1'000'000, .count = kIdRangeSize}).code(), absl::StatusCode::kAlreadyExists);
    EXPECT_EQ(pool.allocate()->first, 1'065'536U);
}

TEST(IdPool, TakesRangesOfAnotherConfigurationAsTheyAre) {
    IdPool pool(1'000'000, 1);
    EXPECT_TRUE(pool.reserve({.first = 5, .count = kIdRangeSize}).ok());
    EXPECT_TRUE(pool.reserve({.first = 900'000'000, .count = kIdRangeSize}).ok());
    EXPECT_TRUE(pool.allocate().ok());
}

TEST(IdPool, StaysBelowTheLastId) {
    IdPool pool(UINT32_MAX - kIdRangeSize, 10);
    EXPECT_TRUE(pool.allocate().ok());
    EXPECT_FALSE(pool.allocate().ok());
}

}  // namespace
}  // namespace homeslice::isolation
