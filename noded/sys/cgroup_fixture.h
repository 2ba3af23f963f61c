// Groups for privileged tests, with processes in them; all gone after the test.
#pragma once

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "noded/sys/cgroup.h"
#include "tests/support/privileges.h"

namespace homeslice::sys {

class CgroupFixture : public testing::Test {
protected:
    void SetUp() override {
        HS_REQUIRE_ROOT();
        ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
        auto opened = Cgroups::open();
        ASSERT_TRUE(opened.ok()) << opened.status();
        cgroups_ = std::move(*opened);
        parent_ = "hst-cgroup-" + std::to_string(::getpid());
    }
    void TearDown() override {
        if (cgroups_ == nullptr) return;
        for (const std::string& group : groups_) endAll(group);
        for (const std::string& group : groups_) EXPECT_EQ(cgroups_->deleteGroup(group), absl::OkStatus());
        EXPECT_EQ(cgroups_->deleteGroup(parent_), absl::OkStatus());
    }

    std::string makeGroup(const std::string& name, const CgroupLimits& limits) {
        std::string group = parent_ + "/" + name;
        groups_.push_back(group);
        EXPECT_EQ(cgroups_->createGroup(group, limits), absl::OkStatus());
        return group;
    }

    // A child in every directory of the group that runs `body`; ended after the test.
    template <typename Body>
    pid_t spawn(const std::string& group, Body body) {
        const pid_t child = ::fork();
        if (child == 0) {
            std::vector<std::string> directories = cgroups_->v1Directories(group);
            if (!cgroups_->v2Directory(group).empty()) directories.push_back(cgroups_->v2Directory(group));
            for (const std::string& directory : directories) {
                if (!writeControlFile(directory + "/cgroup.procs", "0").ok()) ::_exit(99);
            }
            body();
            ::_exit(0);
        }
        return child;
    }
    pid_t run(const std::string& group, const std::string& command) {
        return spawn(group, [&] { ::execl("/bin/sh", "sh", "-c", ("exec " + command).c_str(), nullptr); });
    }
    // The wait status of a child of spawn().
    static int waitFor(pid_t child) {
        int status = 0;
        EXPECT_EQ(::waitpid(child, &status, 0), child);
        return status;
    }
    // Ends the group's processes and waits for them, children of children too: until then they count.
    void endAll(const std::string& group) {
        EXPECT_EQ(cgroups_->killAll(group), absl::OkStatus());
        while (::waitpid(-1, nullptr, WNOHANG) > 0) continue;
    }

    // A control file's text by its name on v1 and on v2, whichever the host has.
    std::string text(const std::string& group, const std::string& controller, const std::string& v1_file,
                     const std::string& v2_file) const {
        const std::string v1 = cgroups_->controlFile(1, controller, group, v1_file);
        const std::string v2_controller = controller == "cpuacct" ? "cpu" : controller == "blkio" ? "io" : controller;
        const std::string v2 = cgroups_->controlFile(2, v2_controller, group, v2_file);
        std::string value = readFile(v1.empty() ? v2 : v1).value_or("unreadable");
        value.erase(value.find_last_not_of('\n') + 1);
        return value;
    }
    static uint64_t keyed(const std::string& text, const std::string& key) {
        std::istringstream words(text);
        std::string name;
        uint64_t value = 0;
        while (words >> name >> value) {
            if (name == key) return value;
        }
        return 0;
    }
    double cpuSeconds(const std::string& group) const {
        const std::string v1 = text(group, "cpuacct", "cpuacct.usage", "cpu.stat");
        if (v1.find(' ') == std::string::npos) return std::stod(v1) / 1e9;
        return static_cast<double>(keyed(v1, "usage_usec")) / 1e6;
    }

    // What `counter` grew by in a second, over a window of about `seconds`; the clock is read beside the counter.
    template <typename Counter>
    static double ratePerSecond(Counter counter, double seconds) {
        const auto begin = Monotonic::now();
        const double before = counter();
        ::usleep(static_cast<useconds_t>(seconds * 1e6));
        const double after = counter();
        return (after - before) / std::chrono::duration<double>(Monotonic::now() - begin).count();
    }
    template <typename Condition>
    static bool eventually(Condition condition) {
        const auto deadline = Monotonic::now() + std::chrono::seconds(10);
        while (!condition()) {
            if (Monotonic::now() > deadline) return false;
            ::usleep(10'000);
        }
        return true;
    }

    std::unique_ptr<Cgroups> cgroups_;
    std::string parent_;
    std::vector<std::string> groups_;
};

}  // namespace homeslice::sys
