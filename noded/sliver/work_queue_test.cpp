#include "noded/sliver/work_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <latch>

namespace homeslice::sliver {
namespace {

using std::chrono::milliseconds;
constexpr std::chrono::seconds kLong{20};

SliverId sliver(uint32_t index) { return {.slice = "web", .index = index}; }

TEST(WorkQueue, WorksOnDifferentSliversAtOnce) {
    std::latch both(2);
    std::promise<void> done;
    std::atomic<int> finished = 0;
    WorkQueue queue(2, [&](const SliverId&) -> std::optional<milliseconds> {
        both.arrive_and_wait();  // never returns if they come one after the other
        if (++finished == 2) done.set_value();
        return std::nullopt;
    });
    queue.add(sliver(1));
    queue.add(sliver(2));
    EXPECT_EQ(done.get_future().wait_for(kLong), std::future_status::ready);
}

TEST(WorkQueue, OneWorkerPerSliverAndNoNewsIsLost) {
    std::promise<void> entered;
    std::promise<void> go_on;
    std::promise<void> again;
    std::atomic<int> inside = 0;
    std::atomic<int> looks = 0;
    WorkQueue queue(4, [&](const SliverId&) -> std::optional<milliseconds> {
        EXPECT_EQ(++inside, 1);
        if (++looks == 1) {
            entered.set_value();
            go_on.get_future().wait();
        } else {
            again.set_value();
        }
        --inside;
        return std::nullopt;
    });
    queue.add(sliver(1));
    ASSERT_EQ(entered.get_future().wait_for(kLong), std::future_status::ready);
    for (int i = 0; i < 3; ++i) queue.add(sliver(1));
    go_on.set_value();
    EXPECT_EQ(again.get_future().wait_for(kLong), std::future_status::ready);
    EXPECT_EQ(looks, 2) << "three additions during a look are one more look";
}

TEST(WorkQueue, ComesBackWhenTold) {
    std::promise<void> done;
    std::atomic<int> looks = 0;
    const auto began = Monotonic::now();
    WorkQueue queue(1, [&](const SliverId&) -> std::optional<milliseconds> {
        if (++looks < 3) return milliseconds(20);
        done.set_value();
        return std::nullopt;
    });
    queue.add(sliver(1));
    ASSERT_EQ(done.get_future().wait_for(kLong), std::future_status::ready);
    EXPECT_GE(Monotonic::now() - began, milliseconds(40));
}

TEST(WorkQueue, AnAdditionComesBeforeAFarDate) {
    std::promise<void> first;
    std::promise<void> second;
    std::atomic<int> looks = 0;
    WorkQueue queue(1, [&](const SliverId&) -> std::optional<milliseconds> {
        (++looks == 1 ? first : second).set_value();
        return looks == 1 ? std::optional(milliseconds(3'600'000)) : std::nullopt;
    });
    queue.add(sliver(1));
    ASSERT_EQ(first.get_future().wait_for(kLong), std::future_status::ready);
    queue.add(sliver(1));
    EXPECT_EQ(second.get_future().wait_for(kLong), std::future_status::ready);
}

}  // namespace
}  // namespace homeslice::sliver
