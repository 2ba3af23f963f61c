// What noded's death leaves at each step of a create and of a delete, and what thousands of them leave in the long run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include "base/file.h"
#include "noded/sliver/test_node.h"
#include "tests/support/privileges.h"

namespace homeslice::sliver {
namespace {

// A step, and the how manieth time it is done.
using Moment = std::pair<std::string, int>;

std::vector<Moment> momentsOf(const std::vector<std::string>& steps) {
    std::map<std::string, int> seen;
    std::vector<Moment> moments;
    for (const std::string& step : steps) moments.emplace_back(step, ++seen[step]);
    return moments;
}

const std::vector<std::string> kSpeaksAndEnds = {"sh", "-c", "echo one; echo two; exit 7"};

// The names of the isolators that took part.
std::vector<std::string> isolatorsOf(const std::vector<Moment>& moments) {
    const std::string prepare = "prepare ";
    std::vector<std::string> names;
    for (const auto& [step, nth] : moments) {
        if (step.starts_with(prepare)) names.push_back(step.substr(prepare.size()));
    }
    return names;
}

class RecoveryRootTest : public testing::Test {
protected:
    void SetUp() override {
        HS_REQUIRE_ROOT();
        ASSERT_EQ(TestNode::enterNetwork(), absl::OkStatus());
        auto created = TestNode::create("a");
        ASSERT_TRUE(created.ok()) << created.status();
        node_ = std::move(*created);
        node_->desire({node_->sliver(9)});  // the image is unpacked with it
        ASSERT_TRUE(node_->reaches(node_->sliver(9).id, State::running)) << node_->manager().inspect();
        ASSERT_TRUE(node_->removesAll());
        before_ = node_->footprint();
    }

    // With a disk, a volume and files of its own, so that every step has something to do.
    SliverSpec rich(std::vector<std::string> argv) const {
        SliverSpec spec = node_->sliver(1, std::move(argv));
        spec.base.resources.disk_bytes = 16 << 20;
        spec.base.volumes = {{.source = node_->volume(), .target = "/volume"}};
        spec.base.files = {{.path = "/etc/given", .content = "given\n"}};
        return spec;
    }

    std::vector<Moment> momentsOfCreate(const SliverSpec& spec) {
        node_->recordSteps();
        EXPECT_EQ(node_->restart(), absl::OkStatus());
        node_->desire({spec});
        EXPECT_TRUE(node_->eventually([&] {
            const auto steps = node_->steps();
            return std::find(steps.begin(), steps.end(), "bind") != steps.end();
        })) << node_->manager().inspect();
        return momentsOf(node_->steps());
    }
    std::vector<Moment> momentsOfDelete() {
        EXPECT_EQ(node_->restart(), absl::OkStatus());
        EXPECT_TRUE(node_->removesAll());
        return momentsOf(node_->steps());
    }
    // A noded that starts now ends up with what kSpeaksAndEnds does.
    void tellsTheEndOf(const SliverSpec& spec) {
        ASSERT_EQ(node_->restart(), absl::OkStatus());
        node_->desire({spec});
        ASSERT_TRUE(node_->reaches(spec.id, State::exited)) << node_->manager().inspect();
        EXPECT_EQ(node_->report(spec.id).exit_status, 7);
        const auto logs = node_->manager().logDirectory(spec.id);
        ASSERT_TRUE(logs.ok()) << logs.status();
        EXPECT_THAT(readFile(*logs + "/log").value_or(""), testing::ContainsRegex("stdout F one\n.*stdout F two\n"));
        isGoneWithoutATrace();
    }
    void isGoneWithoutATrace() {
        ASSERT_TRUE(node_->removesAll()) << node_->manager().inspect();
        EXPECT_EQ(node_->footprint(), before_);
    }

    std::unique_ptr<TestNode> node_;
    std::vector<std::string> before_;
};

TEST_F(RecoveryRootTest, ADeathAtAnyStepOfACreate) {
    const SliverSpec spec = rich({"sleep", "1000"});
    const std::vector<Moment> moments = momentsOfCreate(spec);
    isGoneWithoutATrace();
    EXPECT_GE(moments.size(), 20U);
    for (const auto& [step, nth] : moments) {
        SCOPED_TRACE(step + ", time " + std::to_string(nth));
        ASSERT_EQ(node_->killAt({spec}, step, nth), absl::OkStatus());
        ASSERT_EQ(node_->restart(), absl::OkStatus());
        node_->desire({spec});
        ASSERT_TRUE(node_->reaches(spec.id, State::running)) << node_->manager().inspect();
        EXPECT_EQ(node_->run(spec.id, "cat /etc/given").output, "given\n");
        isGoneWithoutATrace();
    }
}

TEST_F(RecoveryRootTest, ADeathAtAnyStepOfADelete) {
    const SliverSpec spec = rich({"sleep", "1000"});
    momentsOfCreate(spec);
    const std::vector<Moment> moments = momentsOfDelete();
    EXPECT_EQ(node_->footprint(), before_);
    EXPECT_GE(moments.size(), 20U);
    for (const auto& [step, nth] : moments) {
        SCOPED_TRACE(step + ", time " + std::to_string(nth));
        ASSERT_EQ(node_->restart(), absl::OkStatus());
        node_->desire({spec});
        ASSERT_TRUE(node_->reaches(spec.id, State::running)) << node_->manager().inspect();
        ASSERT_EQ(node_->killAt({}, step, nth), absl::OkStatus());
        ASSERT_EQ(node_->restart(), absl::OkStatus());
        isGoneWithoutATrace();
    }
}

TEST_F(RecoveryRootTest, NoDeathLosesAStatusOrALine) {
    const SliverSpec spec = rich(kSpeaksAndEnds);
    std::vector<Moment> moments = momentsOfCreate(spec);
    isGoneWithoutATrace();
    for (const std::string& isolator : isolatorsOf(moments)) moments.emplace_back("cleanup " + isolator, 1);
    for (const auto& [step, nth] : moments) {
        SCOPED_TRACE(step + ", time " + std::to_string(nth));
        ASSERT_EQ(node_->killAt({spec}, step, nth), absl::OkStatus());
        tellsTheEndOf(spec);
    }
}

TEST_F(RecoveryRootTest, ADeathAtAnyStepOfAStartFromThePool) {
    const SliverSpec spec = node_->sliver(1, kSpeaksAndEnds);
    const std::vector<Moment> moments = momentsOfCreate(spec);
    isGoneWithoutATrace();
    std::vector<std::string> steps = {"remember the start", "launch", "remember the process", "bind"};
    for (const std::string& isolator : isolatorsOf(moments)) steps.push_back("adopt " + isolator);
    EXPECT_GE(steps.size(), 10U);
    for (const std::string& step : steps) {
        SCOPED_TRACE(step);
        ASSERT_EQ(node_->killAtAdoption(spec, step), absl::OkStatus());
        tellsTheEndOf(spec);
    }
}

// What a process holds.
struct Holding {
    long descriptors = 0;
    long kibibytes = 0;
};

Holding holdingOf(const std::string& process) {
    Holding holding;
    std::error_code error;
    for (std::filesystem::directory_iterator entry(process + "/fd", error), end; !error && entry != end;
         entry.increment(error)) {
        ++holding.descriptors;
    }
    std::ifstream status(process + "/status");
    for (std::string word; status >> word;) {
        if (word == "VmRSS:") status >> holding.kibibytes;
    }
    return holding;
}

// The launcher that this process started.
std::string launcherProcess() {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
        std::ifstream status(entry.path() / "status");
        std::string name;
        std::string state;
        pid_t parent = 0;
        for (std::string word; status >> word;) {
            if (word == "Name:") status >> name;
            if (word == "State:") status >> state;
            if (word == "PPid:") status >> parent;
        }
        if (name == "noded-launcher" && state != "Z" && parent == ::getpid()) return entry.path();
    }
    return "";
}

TEST_F(RecoveryRootTest, ManyCyclesLeaveEverythingWhereItWas) {
    const char* wanted = std::getenv("HOMESLICE_CYCLES");
    const int cycles = wanted != nullptr ? std::atoi(wanted) : 300;
    const SliverSpec spec = node_->sliver(1);
    const auto cycle = [&] {
        node_->desire({spec});
        ASSERT_TRUE(node_->reaches(spec.id, State::running)) << node_->manager().inspect();
        ASSERT_TRUE(node_->removesAll()) << node_->manager().inspect();
    };
    constexpr int kWarmUp = 50;  // until the allocators have what they need
    for (int i = 0; i < kWarmUp && !HasFatalFailure(); ++i) cycle();
    const std::string launcher = launcherProcess();
    ASSERT_NE(launcher, "");
    const Holding noded = holdingOf("/proc/self");
    const Holding helper = holdingOf(launcher);
    const auto began = Monotonic::now();
    for (int i = 0; i < cycles && !HasFatalFailure(); ++i) cycle();
    const auto spent = std::chrono::duration_cast<std::chrono::milliseconds>(Monotonic::now() - began).count();
    const Holding noded_then = holdingOf("/proc/self");
    const Holding helper_then = holdingOf(launcher);
    std::printf(
        "%d cycles, %.1f ms each; noded: %ld -> %ld descriptors, %ld -> %ld KiB; launcher: %ld -> %ld, %ld -> %ld "
        "KiB\n",
        cycles, static_cast<double>(spent) / cycles, noded.descriptors, noded_then.descriptors, noded.kibibytes,
        noded_then.kibibytes, helper.descriptors, helper_then.descriptors, helper.kibibytes, helper_then.kibibytes);
    EXPECT_EQ(node_->footprint(), before_);
    EXPECT_EQ(noded_then.descriptors, noded.descriptors);
    EXPECT_EQ(helper_then.descriptors, helper.descriptors);
    constexpr long kNoise = 4096;
    EXPECT_LT(noded_then.kibibytes, noded.kibibytes + kNoise);
    EXPECT_LT(helper_then.kibibytes, helper.kibibytes + kNoise / 4);
}

}  // namespace
}  // namespace homeslice::sliver
