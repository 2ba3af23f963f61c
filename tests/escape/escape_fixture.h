// A node with two slivers, one of them the attacker's, as its users would have them: the real manager, launcher,
// sliver-init and isolators. The attacker's program is in both slivers' disks.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "noded/sliver/test_node.h"

namespace homeslice::escape {

using Arguments = std::vector<std::string>;

struct Outcome {
    int status = -1;  // 0: the attempt worked; else the errno, or 128 + N after signal N
    std::string output;
};

// An attempt and who refuses it; the control shows that the same attempt works where nothing holds it back, so that a
// refusal inside tells something. What the kernel does not have at all needs no control.
struct Attempt {
    enum class Control { none, outside, inside };

    std::string name;
    Arguments arguments;
    int refused = 0;
    Control control = Control::none;
    Arguments control_arguments = {};  // empty: the same
    int control_status = 0;            // the errno of one who passed the gate, where success would do harm
};

std::ostream& operator<<(std::ostream& out, const Attempt& attempt);

class EscapeTest : public testing::Test {
protected:
    // Once for all suites of a program; what is made is gone after the last.
    static void SetUpTestSuite();
    void SetUp() override;
    // Runs `cleanup` after the last test, the latest first.
    static void atEnd(std::function<void()> cleanup);

    // The attacker in its sliver, in the other sliver, and as the host's root in a mount namespace of its own.
    static Outcome inside(const Arguments& arguments);
    static Outcome nextDoor(const Arguments& arguments);
    static Outcome outside(Arguments arguments);
    // Any command in a sliver; without one, in the attacker's.
    static Outcome run(const SliverId& id, init::ExecRequest request);
    static Outcome shell(const SliverId& id, const std::string& script);
    static Outcome shell(const std::string& script) { return shell(attacker_.id, script); }
    static void expectRefused(const Attempt& attempt);
    // A new sliver for the attacker when an attack was the end of the last one.
    static bool reviveAttacker();

    static std::unique_ptr<sliver::TestNode> node_;
    static SliverSpec attacker_;
    static SliverSpec neighbour_;
};

inline constexpr const char* kAttackerInside = "/attacker";

// Each attempt of a table is a test of its own.
class RefusedTest : public EscapeTest, public testing::WithParamInterface<Attempt> {};

inline std::string nameOf(const testing::TestParamInfo<Attempt>& info) { return info.param.name; }

}  // namespace homeslice::escape
