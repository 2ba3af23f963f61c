#include "noded/sliver/pool.h"

#include <gtest/gtest.h>

#include "base/status.h"

namespace homeslice::sliver {
namespace {

class PoolTest : public testing::Test {
protected:
    std::unique_ptr<Pool> makePool(uint32_t size) {
        return std::make_unique<Pool>(
            size,
            [this](const image::Image& image) -> absl::StatusOr<Prepared> {
                const std::lock_guard lock(mutex_);
                ++made_;
                changed_.notify_all();
                if (failing_) return unavailable("made to fail");
                Prepared prepared;
                prepared.image_digest = image.digest;
                return prepared;
            },
            [this](const Prepared&) {
                const std::lock_guard lock(mutex_);
                ++discarded_;
                changed_.notify_all();
            });
    }
    bool reaches(const int& counter, int value) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, std::chrono::seconds(30), [&] { return counter >= value; });
    }
    static image::Image imageOf(const std::string& digest) { return {.digest = digest, .rootfs = "", .config = {}}; }
    // The last one made is put where take() finds it a moment later.
    static std::optional<Prepared> takeSoon(Pool& pool, const std::string& digest) {
        const auto deadline = Monotonic::now() + std::chrono::seconds(30);
        while (pool.ready() == 0 && Monotonic::now() < deadline) std::this_thread::yield();
        return pool.take(imageOf(digest));
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    int made_ = 0;
    int discarded_ = 0;
    bool failing_ = false;
};

TEST_F(PoolTest, IsEmptyUntilAnImageWasStarted) {
    const auto pool = makePool(2);
    EXPECT_EQ(pool->ready(), 0U);
    EXPECT_FALSE(pool->take(imageOf("a")).has_value());
    EXPECT_TRUE(reaches(made_, 2));
}

TEST_F(PoolTest, GivesEachOnceAndMakesAnother) {
    const auto pool = makePool(1);
    pool->take(imageOf("a"));
    ASSERT_TRUE(takeSoon(*pool, "a").has_value());
    EXPECT_TRUE(reaches(made_, 2));
}

TEST_F(PoolTest, GivesNothingOfAnotherImageAndDiscardsIt) {
    const auto pool = makePool(2);
    pool->take(imageOf("a"));
    ASSERT_TRUE(reaches(made_, 2));
    EXPECT_FALSE(takeSoon(*pool, "b").has_value());
    EXPECT_TRUE(reaches(discarded_, 2));
    const auto taken = takeSoon(*pool, "b");
    ASSERT_TRUE(taken.has_value());
    EXPECT_EQ(taken->image_digest, "b");
}

TEST_F(PoolTest, DiscardsAllAtItsEnd) {
    auto pool = makePool(3);
    pool->take(imageOf("a"));
    ASSERT_TRUE(reaches(made_, 3));
    pool.reset();
    EXPECT_EQ(discarded_, 3);
}

TEST_F(PoolTest, OfSizeNothingMakesNothing) {
    auto pool = makePool(0);
    EXPECT_FALSE(pool->take(imageOf("a")).has_value());
    pool.reset();
    EXPECT_EQ(made_, 0);
}

TEST_F(PoolTest, DoesNotTryForEverAtOnce) {
    failing_ = true;
    auto pool = makePool(4);
    pool->take(imageOf("a"));
    ASSERT_TRUE(reaches(made_, 1));
    pool.reset();
    EXPECT_EQ(made_, 1);
}

}  // namespace
}  // namespace homeslice::sliver
