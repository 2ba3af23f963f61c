#include "noded/sys/cgroup.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "base/file.h"
#include "tests/support/privileges.h"

namespace homeslice::sys {
namespace {

class CgroupTest : public testing::Test {
protected:
    void SetUp() override {
        HS_REQUIRE_ROOT();
        auto opened = Cgroups::open();
        ASSERT_TRUE(opened.ok()) << opened.status();
        cgroups_ = std::move(*opened);
        parent_ = "hst-cgroup-" + std::to_string(::getpid());
        group_ = parent_ + "/web.1";
    }
    void TearDown() override {
        if (cgroups_ == nullptr) return;
        EXPECT_TRUE(cgroups_->killAll(group_).ok());
        EXPECT_EQ(cgroups_->deleteGroup(group_), absl::OkStatus());
        EXPECT_EQ(cgroups_->deleteGroup(parent_), absl::OkStatus());
        EXPECT_TRUE(cgroups_->children(parent_).empty());
        EXPECT_FALSE(cgroups_->usage(group_).ok());
    }

    std::vector<std::string> directories() const {
        std::vector<std::string> all = cgroups_->v1Directories(group_);
        if (!cgroups_->v2Directory(group_).empty()) all.push_back(cgroups_->v2Directory(group_));
        return all;
    }

    // Children enter the last directory last.
    static size_t processesIn(const std::string& directory) {
        const std::string text = readFile(directory + "/cgroup.procs").value_or("");
        return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
    }

    // A child in every directory of the group that runs `body`.
    template <typename Body>
    pid_t spawn(Body body) {
        const pid_t child = ::fork();
        if (child != 0) return child;
        for (const std::string& directory : directories()) {
            if (!writeControlFile(directory + "/cgroup.procs", "0").ok()) ::_exit(99);
        }
        body();
        ::_exit(0);
    }

    std::string valueOf(const std::string& controller, const std::string& v1_file, const std::string& v2_file) const {
        const std::string v1 = cgroups_->controlFile(1, controller, group_, v1_file);
        const std::string path = v1.empty() ? cgroups_->controlFile(2, controller, group_, v2_file) : v1;
        std::string text = readFile(path).value_or("unreadable");
        text.erase(text.find_last_not_of('\n') + 1);
        return text;
    }

    std::unique_ptr<Cgroups> cgroups_;
    std::string parent_;
    std::string group_;
};

TEST_F(CgroupTest, GivesAGroupWithoutLimitsItsFirstOnes) {
    ASSERT_EQ(cgroups_->createGroup(group_, {}), absl::OkStatus());
    ASSERT_EQ(cgroups_->setFirstLimits(group_, {.cpu_millis = 250, .memory_bytes = 64 << 20, .pids = 32}),
              absl::OkStatus());
    const bool v2 = cgroups_->controlFile(1, "cpu", group_, "cpu.shares").empty();
    EXPECT_EQ(valueOf("cpu", "cpu.cfs_quota_us", "cpu.max"), v2 ? "25000 100000" : "25000");
    EXPECT_EQ(valueOf("memory", "memory.limit_in_bytes", "memory.max"), std::to_string(64 << 20));
    EXPECT_EQ(valueOf("pids", "pids.max", "pids.max"), "32");
    EXPECT_EQ(valueOf("cpu", "cpu.cfs_period_us", "cpu.max"), v2 ? "25000 100000" : "100000");
}

TEST_F(CgroupTest, WritesTheLimits) {
    ASSERT_EQ(cgroups_->createGroup(group_, {.cpu_millis = 250, .memory_bytes = 64 << 20, .pids = 32}),
              absl::OkStatus());
    const std::string quota = valueOf("cpu", "cpu.cfs_quota_us", "cpu.max");
    EXPECT_TRUE(quota == "25000" || quota == "25000 100000") << quota;
    EXPECT_EQ(valueOf("memory", "memory.limit_in_bytes", "memory.max"), std::to_string(64 << 20));
    EXPECT_EQ(valueOf("pids", "pids.max", "pids.max"), "32");
    EXPECT_EQ(cgroups_->children(parent_), std::vector<std::string>{group_});
}

TEST_F(CgroupTest, CreatingTwiceKeepsTheLastLimits) {
    ASSERT_EQ(cgroups_->createGroup(group_, {.pids = 32}), absl::OkStatus());
    ASSERT_EQ(cgroups_->createGroup(group_, {.pids = 64}), absl::OkStatus());
    EXPECT_EQ(valueOf("pids", "pids.max", "pids.max"), "64");
}

TEST_F(CgroupTest, KillsEveryProcess) {
    ASSERT_EQ(cgroups_->createGroup(group_, {}), absl::OkStatus());
    std::vector<pid_t> children;
    for (int i = 0; i < 5; ++i) children.push_back(spawn([] { ::pause(); }));
    while (processesIn(directories().back()) < children.size()) std::this_thread::yield();
    EXPECT_EQ(cgroups_->killAll(group_), absl::OkStatus());
    for (const pid_t child : children) {
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    }
    EXPECT_TRUE(cgroups_->processes(group_)->empty());
}

TEST_F(CgroupTest, CountsTheKillsAtTheMemoryLimit) {
    ASSERT_EQ(cgroups_->createGroup(group_, {.memory_bytes = 16 << 20}), absl::OkStatus());
    const pid_t child = spawn([] {
        std::vector<std::vector<char>> hog;
        for (;;) hog.emplace_back(1 << 20, 'x');
    });
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    EXPECT_GE(cgroups_->usage(group_)->oom_kills, 1U);
}

TEST_F(CgroupTest, AGroupWithProcessesIsNotDeleted) {
    ASSERT_EQ(cgroups_->createGroup(group_, {}), absl::OkStatus());
    const pid_t child = spawn([] { ::pause(); });
    while (processesIn(directories().back()) == 0) std::this_thread::yield();
    EXPECT_FALSE(cgroups_->deleteGroup(group_).ok());
    EXPECT_EQ(cgroups_->processes(group_).value(), std::vector<pid_t>{child});
    EXPECT_EQ(cgroups_->killAll(group_), absl::OkStatus());
    EXPECT_EQ(::waitpid(child, nullptr, 0), child);
}

TEST_F(CgroupTest, DeletingAndKillingNothingIsFine) {
    EXPECT_EQ(cgroups_->deleteGroup(group_), absl::OkStatus());
    EXPECT_EQ(cgroups_->killAll(group_), absl::OkStatus());
    EXPECT_EQ(cgroups_->usage(group_).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace homeslice::sys
