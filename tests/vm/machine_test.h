// A suite of tests on one machine, booted before the first and gone after the last.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

#include "tests/support/lab.h"
#include "tests/vm/machine.h"

namespace homeslice::testing_support {

class MachineTest : public testing::Test {
protected:
    static constexpr const char* kNeeds =
        "needs root, QEMU and the image of tests/vm/build-image: run tests/run as root";
    static bool canRun() { return ::geteuid() == 0 && Machine::isAvailable(); }

    static void SetUpTestSuite() {
        if (!canRun()) return;
        machine_ = std::make_unique<Machine>();
        up_ = machine_->boot();
    }
    static void TearDownTestSuite() { machine_.reset(); }

    void SetUp() override {
        if (!canRun()) {
            if (testsMustRun()) FAIL() << kNeeds << ", and tests must run here";
            GTEST_SKIP() << kNeeds;
        }
        ASSERT_TRUE(up_) << "the machine did not come up; its console:\n" << machine_->console();
    }

    static CommandResult run(const std::string& line, std::chrono::seconds timeout = std::chrono::seconds(300)) {
        return machine_->run(line, timeout);
    }
    // What a command that must succeed prints, without the last line's end.
    static std::string outputOf(const std::string& line) {
        CommandResult result = run(line);
        EXPECT_EQ(result.status, 0) << line << "\n" << result.out << result.err;
        while (result.out.ends_with('\n')) result.out.pop_back();
        return result.out;
    }

    static inline std::unique_ptr<Machine> machine_;
    static inline bool up_ = false;
};

}  // namespace homeslice::testing_support
