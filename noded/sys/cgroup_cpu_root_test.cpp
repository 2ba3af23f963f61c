// CPU limits under load, measured by the kernel's own counters.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <sys/resource.h>

#include "noded/sys/cgroup_fixture.h"

namespace homeslice::sys {
namespace {

using testing::HasSubstr;

constexpr const char* kHogs = "stress-ng --quiet --cpu 2 --cpu-method loop";
constexpr const char* kHog = "stress-ng --quiet --cpu 1 --cpu-method loop";
constexpr double kTolerance = 0.05;
constexpr double kWindow = 4;  // seconds

class CgroupCpuTest : public CgroupFixture {
protected:
    bool isBusy(const std::string& group) {
        const double before = cpuSeconds(group);
        return eventually([&] { return cpuSeconds(group) > before + 0.1; });
    }
    double throttledPeriods(const std::string& group) {
        return static_cast<double>(keyed(text(group, "cpu", "cpu.stat", "cpu.stat"), "nr_throttled"));
    }
    // The first CPU that this process may use.
    static std::string oneCpu() { return std::to_string(*onlineCpus()->begin()); }
};

// The group is busy all the time, so it has its whole quota whenever it was throttled: that is the lower bound, also
// on a machine that others load, whom it outweighs.
TEST_F(CgroupCpuTest, ACapIsKept) {
    const std::string group = makeGroup("capped", {.cpu_millis = 400});
    ASSERT_EQ(cgroups_->setCpuWeight(parent_, 10'000), absl::OkStatus());
    run(group, kHogs);
    ASSERT_TRUE(isBusy(group));
    const double throttled = throttledPeriods(group);
    const double used = cpuSeconds(group);
    const double rate = ratePerSecond([&] { return cpuSeconds(group); }, kWindow);
    EXPECT_LE(rate, 0.4 * (1 + kTolerance));
    const double periods = throttledPeriods(group) - throttled;
    EXPECT_GE(periods, 1);
    EXPECT_GE(cpuSeconds(group) - used, periods * 0.04 * (1 - kTolerance) - 0.04);
}

TEST_F(CgroupCpuTest, ACapChangesUnderTheLoad) {
    const std::string group = makeGroup("capped", {});
    run(group, kHogs);
    ASSERT_TRUE(isBusy(group));
    ASSERT_EQ(cgroups_->setLimits(group, {.cpu_millis = 200}), absl::OkStatus());
    ::usleep(200'000);  // the periods that began under the old cap
    EXPECT_LE(ratePerSecond([&] { return cpuSeconds(group); }, kWindow), 0.2 * (1 + kTolerance));
    ASSERT_EQ(cgroups_->setLimits(group, {}), absl::OkStatus());
    const double throttled = throttledPeriods(group);
    ASSERT_TRUE(isBusy(group));
    EXPECT_LE(throttledPeriods(group), throttled + 1) << "without a cap";
}

// Closing so many files takes some tenth of a second of a processor, most of a minute of what a squeezed group has.
TEST_F(CgroupCpuTest, WhatIsKilledDiesAtOnceWhateverItsCap) {
    constexpr int kProcesses = 10;
    constexpr int kFiles = 15'000;
    const std::string group = makeGroup("slow", {});
    int ends[2] = {-1, -1};
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    for (int i = 0; i < kProcesses; ++i) {
        spawn(group, [&] {
            rlimit files{};
            ::getrlimit(RLIMIT_NOFILE, &files);
            files.rlim_cur = files.rlim_max;
            ::setrlimit(RLIMIT_NOFILE, &files);
            for (int open = 0; open < kFiles && ::open("/dev/null", O_RDONLY) >= 0;) ++open;
            static_cast<void>(::write(ends[1], "f", 1));
            ::pause();
        });
    }
    const UniqueFd reader(ends[0]);
    ::close(ends[1]);
    for (int i = 0; i < kProcesses; ++i) {
        char full = 0;
        ASSERT_EQ(::read(reader.get(), &full, 1), 1);
    }
    ASSERT_EQ(cgroups_->squeezeCpu(group), absl::OkStatus());
    EXPECT_EQ(cgroups_->killAll(group), absl::OkStatus());
}

TEST_F(CgroupCpuTest, WeightsShareOneCpu) {
    const std::string light = makeGroup("light", {.cpu_weight = 100, .cpuset = oneCpu()});
    const std::string heavy = makeGroup("heavy", {.cpu_weight = 300, .cpuset = oneCpu()});
    run(light, kHog);
    run(heavy, kHog);
    ASSERT_TRUE(isBusy(light) && isBusy(heavy));
    const double light_before = cpuSeconds(light);
    const double heavy_before = cpuSeconds(heavy);
    ::usleep(static_cast<useconds_t>(kWindow * 1e6));
    const double light_used = cpuSeconds(light) - light_before;
    const double heavy_used = cpuSeconds(heavy) - heavy_before;
    EXPECT_NEAR(heavy_used / (heavy_used + light_used), 0.75, 0.75 * kTolerance);

    ASSERT_EQ(cgroups_->setCpuWeight(light, 300), absl::OkStatus());
    const double light_again = cpuSeconds(light);
    const double heavy_again = cpuSeconds(heavy);
    ::usleep(static_cast<useconds_t>(kWindow * 1e6));
    const double share = cpuSeconds(heavy) - heavy_again;
    EXPECT_NEAR(share / (share + cpuSeconds(light) - light_again), 0.5, 0.5 * kTolerance);
}

TEST_F(CgroupCpuTest, ACpusetIsSeenAndCanBeLeftAgain) {
    const std::string group = makeGroup("pinned", {.cpuset = oneCpu()});
    const auto cpus_of = [](pid_t pid) {
        cpu_set_t set;
        CPU_ZERO(&set);
        ::sched_getaffinity(pid, sizeof(set), &set);
        return static_cast<size_t>(CPU_COUNT(&set));
    };
    const pid_t child = spawn(group, [] { ::pause(); });
    EXPECT_TRUE(eventually([&] { return cpus_of(child) == 1; }));
    ASSERT_EQ(cgroups_->setLimits(group, {}), absl::OkStatus());
    EXPECT_TRUE(eventually([&] { return cpus_of(child) == onlineCpus()->size(); }));
}

TEST_F(CgroupCpuTest, ACpuThatIsNotThereIsRefused) {
    const std::string group = makeGroup("pinned", {});
    const absl::Status refused = cgroups_->setLimits(group, {.cpuset = "0-8000"});
    EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(refused.ToString(), HasSubstr("this node has"));
    EXPECT_EQ(cgroups_->setLimits(group, {.cpuset = "0-"}).code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(cgroups_->setLimits(group, {.cpu_weight = 10'001}).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(CgroupCpuTest, LimitsOfAGroupThatIsNotThere) {
    EXPECT_EQ(cgroups_->setLimits(parent_ + "/none", {.pids = 3}).code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace homeslice::sys
