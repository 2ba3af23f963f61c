// Groups that take what they get: who runs into its limits over and over is slowed down, who does not pause has longer
// time slices; and both are let go again.
#include "noded/isolation/hog_watch.h"

#include <signal.h>
#include <sys/mman.h>

#include <cstring>

#include "noded/sys/cgroup_fixture.h"
#include "noded/sys/time_slice.h"

namespace homeslice::isolation {
namespace {

constexpr uint32_t kProcesses = 4;
constexpr uint32_t kCapMillis = 500;
constexpr const char* kSlow = "2000 1000000";  // microseconds, and in which time

class HogWatchTest : public sys::CgroupFixture {
protected:
    void SetUp() override {
        CgroupFixture::SetUp();
        if (cgroups_ == nullptr) return;
        watch_ = std::make_unique<HogWatch>(*cgroups_);
        group_ = makeGroup("bomb", {.cpu_millis = kCapMillis, .pids = kProcesses});
        watch_->watch(group_, kCapMillis);
    }
    void TearDown() override {
        if (watch_ != nullptr) watch_->release(group_);
        watch_.reset();
        CgroupFixture::TearDown();
    }

    // vfork(2) where it is refused anyway: an emulated machine does not copy page tables a hundred times a second.
    pid_t beginForkBomb() {
        return spawn(group_, [] {
            while (::fork() >= 0) continue;
            for (;;) {
                if (::vfork() == 0) ::_exit(0);
            }
        });
    }
    // Forks that are refused, this many, and then waits.
    pid_t beginRefused(int forks) {
        return spawn(group_, [forks] {
            for (int refused = 0; refused < forks;) {
                const pid_t child = ::fork();
                if (child == 0) {
                    for (;;) ::pause();
                }
                if (child < 0) ++refused;
            }
            for (;;) ::pause();
        });
    }
    uint64_t refused() const { return keyed(text(group_, "pids", "pids.events", "pids.events"), "max"); }
    std::string capOf(const std::string& group) const {
        if (!cgroups_->controlFile(2, "cpu", group, "cpu.max").empty()) return text(group, "cpu", "", "cpu.max");
        return text(group, "cpu", "cpu.cfs_quota_us", "") + " " + text(group, "cpu", "cpu.cfs_period_us", "");
    }
    std::string cap() const { return capOf(group_); }
    bool isSlow() const { return cap() == kSlow; }
    bool hasItsCap() const { return cap() == "50000 100000"; }

    static uint64_t sliceOf(pid_t thread) {
        sys::SchedulingAttributes attributes;
        return sys::getSchedulingAttributes(thread, attributes) ? attributes.runtime_ns : 0;
    }
    uint64_t longestSlice() const {
        uint64_t longest = 0;
        for (const pid_t thread : cgroups_->threads(group_)) longest = std::max(longest, sliceOf(thread));
        return longest;
    }

    std::unique_ptr<HogWatch> watch_;
    std::string group_;
};

TEST_F(HogWatchTest, AForkBombIsSlowedDownUntilItEnds) {
    ASSERT_TRUE(hasItsCap()) << cap();
    beginForkBomb();
    ASSERT_TRUE(eventually([&] { return isSlow(); })) << cap() << ", refused: " << refused();
    EXPECT_EQ(cgroups_->killAll(group_), absl::OkStatus());
    EXPECT_TRUE(eventually([&] { return hasItsCap(); })) << cap();
}

TEST_F(HogWatchTest, WhoIsKilledForMemoryOverAndOverIsSlowedDown) {
    const std::string hungry = makeGroup("hungry", {.memory_bytes = 8 << 20});
    watch_->watch(hungry, 0);
    spawn(hungry, [] {
        for (;;) {
            const pid_t child = ::fork();
            if (child == 0) {
                ::memset(::mmap(nullptr, 64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 1,
                         64 << 20);
                ::_exit(0);
            }
            ::waitpid(child, nullptr, 0);
        }
    });
    EXPECT_TRUE(eventually([&] { return capOf(hungry) == kSlow; })) << capOf(hungry);
    watch_->release(hungry);
}

TEST_F(HogWatchTest, WhoIsRefusedNowAndThenIsLeftAlone) {
    beginRefused(50);
    ASSERT_TRUE(eventually([&] { return refused() >= 50; }));
    const auto looked_at_for_sure = Monotonic::now() + std::chrono::milliseconds(500);
    while (Monotonic::now() < looked_at_for_sure) ASSERT_TRUE(hasItsCap()) << cap();
}

TEST_F(HogWatchTest, OneThatIsReleasedRunsFastUntilItIsResumed) {
    beginForkBomb();
    ASSERT_TRUE(eventually([&] { return isSlow(); })) << cap();
    watch_->release(group_);
    EXPECT_TRUE(hasItsCap()) << cap();
    const uint64_t before = refused();
    ASSERT_TRUE(eventually([&] { return refused() > before + 1000; }));
    EXPECT_TRUE(hasItsCap()) << cap();
    watch_->resume(group_);
    EXPECT_TRUE(eventually([&] { return isSlow(); })) << cap();
}

TEST_F(HogWatchTest, ACapThatIsChangedMeanwhileIsWhatItGetsBack) {
    beginForkBomb();
    ASSERT_TRUE(eventually([&] { return isSlow(); })) << cap();
    watch_->watch(group_, 0);
    EXPECT_TRUE(cap().starts_with("-1 ") || cap().starts_with("max ") || isSlow()) << cap();
    watch_->release(group_);
    EXPECT_TRUE(cap().starts_with("-1 ") || cap().starts_with("max ")) << cap();
}

// Two threads of one process, one of which computes until it is told to pause.
TEST_F(HogWatchTest, WhoDoesNotPauseHasLongSlicesUntilItDoes) {
    if (!sys::hasTimeSlices()) return;  // Linux before 6.12 has none to give
    const pid_t sliver = spawn(group_, [] {
        static volatile bool pauses = false;
        ::signal(SIGUSR1, [](int) { pauses = true; });
        sys::setTimeSlice(0, sys::kShortestSliceNs);
        if (::fork() == 0) {
            for (;;) ::pause();
        }
        while (!pauses) continue;
        for (;;) ::pause();
    });
    watch_->watch(group_, 0);
    EXPECT_TRUE(eventually([&] { return sliceOf(sliver) > 10'000'000; })) << sliceOf(sliver);
    EXPECT_TRUE(eventually([&] {
        const auto threads = cgroups_->threads(group_);
        return threads.size() == 2 && sliceOf(threads[0]) == sliceOf(threads[1]);
    }));
    ASSERT_EQ(::kill(sliver, SIGUSR1), 0);
    EXPECT_TRUE(eventually([&] { return longestSlice() == sys::kShortestSliceNs; })) << longestSlice();
}

}  // namespace
}  // namespace homeslice::isolation
