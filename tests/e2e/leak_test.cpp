// Thirty slivers come and go; the machine is as it was.
#include <gmock/gmock.h>

#include <cstdio>

#include "tests/support/lab.h"

namespace homeslice::testing_support {
namespace {

class LeakTest : public LabTest {};

TEST_F(LeakTest, ThirtySliversLeaveNothing) {
    // The first slice makes the nodes fetch and unpack the image, which stays.
    HS_EXPECT_DONE(createSlice("warm", {"--nodes", "3"}));
    HS_EXPECT_DONE(slicectl({"slice", "rm", "warm"}));
    const HostSnapshot before = takeHostSnapshot();

    const CommandResult created =
        createSlice("thirty", {"--nodes", "3", "--slivers", "30", "--memory", "64M", "--pids", "32", "--cpus", "0.2"});
    HS_EXPECT_DONE(created);
    std::printf("30 slivers up in %lld ms\n", static_cast<long long>(created.took.count()));
    EXPECT_LT(created.took, std::chrono::seconds(5));
    EXPECT_EQ(slicectlJson({"slice", "show", "thirty"}).value("slivers_running", 0), 30);
    const CommandResult exec = slicectl({"exec", "thirty", "--", "hostname"});
    HS_EXPECT_DONE(exec);
    EXPECT_EQ(linesOf(exec.out).size(), 30U);

    const CommandResult removed = slicectl({"slice", "rm", "thirty"});
    HS_EXPECT_DONE(removed);
    std::printf("and removed in %lld ms\n", static_cast<long long>(removed.took.count()));
    EXPECT_EQ(awaitNoLeftovers(before), "");
}

}  // namespace
}  // namespace homeslice::testing_support
