#include "noded/api/io_loop.h"

#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <vector>

#include "noded/api/stream_pipe.h"
#include "noded/api/workers.h"

namespace homeslice::api {
namespace {

TEST(IoLoop, RunsPostedTasksInOrderAlsoAtItsEnd) {
    std::vector<int> order;
    {
        auto loop = IoLoop::start();
        ASSERT_TRUE(loop.ok()) << loop.status();
        for (int i = 0; i < 100; ++i) (*loop)->post([&order, i] { order.push_back(i); });
    }
    ASSERT_EQ(order.size(), 100U);
    EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST(IoLoop, WaitsOnceAndForgets) {
    auto started = IoLoop::start();
    ASSERT_TRUE(started.ok());
    IoLoop& loop = **started;
    auto made = makeStreamPipe(LoopEnd::read);
    ASSERT_TRUE(made.ok());
    const int fd = made->read_end.get();

    std::promise<void> ready;
    loop.post([&] { loop.waitOnce(fd, EPOLLIN, [&] { ready.set_value(); }); });  // a second call would throw
    ASSERT_EQ(write(made->write_end.get(), "x", 1), 1);
    ASSERT_EQ(ready.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);

    std::promise<void> passed;
    loop.post([&] {
        loop.waitOnce(fd, EPOLLIN, [] { FAIL() << "was forgotten"; });
        loop.forget(fd);
        loop.post([&] { passed.set_value(); });
    });
    EXPECT_EQ(passed.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
}

TEST(Workers, HaveALimitAndAreWaitedFor) {
    std::promise<void> let_go;
    const std::shared_future<void> gate = let_go.get_future().share();
    int done = 0;
    {
        Workers workers(1);
        EXPECT_TRUE(workers.tryRun([&, gate] {
            gate.wait();
            ++done;
        }));
        EXPECT_FALSE(workers.tryRun([] {}));
        let_go.set_value();
    }
    EXPECT_EQ(done, 1);
}

}  // namespace
}  // namespace homeslice::api
