// Quotas, reservations, loans and lost nodes on the command line.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "ctl/commands/fake_controller.h"

namespace homeslice::ctl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class CapacityCommands : public ::testing::Test {
protected:
    Outcome run(const std::vector<std::string>& arguments) { return slicectl(controller_, arguments); }

    FakeController controller_;
};

TEST_F(CapacityCommands, AQuotaIsSetInParts) {
    const Outcome set = run({"user", "quota", "set", "alice", "--slivers", "0", "--cpus", "1.5", "--disk", "none"});
    EXPECT_EQ(set.exit_status, 0) << set.err;
    const v1::SetUserQuotaRequest& asked = controller_.quota;
    EXPECT_EQ(asked.name(), "alice");
    EXPECT_TRUE(asked.quota().has_slivers());
    EXPECT_EQ(asked.quota().slivers(), 0U);
    EXPECT_EQ(asked.quota().cpu_millis(), 1500U);
    EXPECT_FALSE(asked.quota().has_memory_bytes());
    EXPECT_THAT(asked.unlimited(), ElementsAre("disk"));
    EXPECT_THAT(run({"user", "quota", "set", "alice"}).err, HasSubstr("say what to limit"));
    EXPECT_THAT(run({"user", "quota", "set", "alice", "--memory", "x"}).err, HasSubstr("--memory 'x' is not valid"));
}

TEST_F(CapacityCommands, AQuotaIsShownWithWhatIsUsed) {
    const Outcome shown = run({"user", "quota", "show"});
    EXPECT_EQ(shown.exit_status, 0) << shown.err;
    EXPECT_THAT(shown.out, HasSubstr("3 of 20"));
    EXPECT_THAT(shown.out, HasSubstr("512M of 8G"));
    EXPECT_THAT(shown.out, HasSubstr("1.5\n")) << "no limit";
    EXPECT_THAT(run({"user", "show", "bob", "-o", "json"}).out, HasSubstr("\"name\": \"bob\""));
}

TEST_F(CapacityCommands, AReservationBeginsLater) {
    const int64_t before = toUnixMicros(Utc::now());
    const Outcome outcome = run({"reservation", "create", "nightly", "--from", "2h", "--for", "4h", "--cpus", "1.5",
                                 "--nodes", "3", "--where", "rack=r1", "--owner", "bob"});
    EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
    const v1::CreateReservationRequest& asked = controller_.reserved;
    constexpr int64_t kTwoHours = int64_t{2} * 3600 * 1'000'000;
    EXPECT_GE(asked.start_us(), before + kTwoHours);
    EXPECT_EQ(asked.duration_s(), 4 * 3600U);
    EXPECT_EQ(asked.cpu_millis(), 1500U);
    EXPECT_EQ(asked.node_count(), 3U);
    EXPECT_THAT(asked.where(), ElementsAre("rack=r1"));
    EXPECT_EQ(asked.owner(), "bob");
    run({"reservation", "create", "now", "--for", "4h", "--cpus", "1", "--on", "node1,node2"});
    EXPECT_EQ(controller_.reserved.start_us(), 0);
    EXPECT_THAT(controller_.reserved.nodes(), ElementsAre("node1", "node2"));
    EXPECT_THAT(run({"reservation", "create", "x", "--for", "4h", "--cpus", "1"}).err, HasSubstr("say where"));
    EXPECT_THAT(run({"reservation", "create", "x", "--for", "4h", "--cpus", "1", "--nodes", "1", "--from", "soon"}).err,
                HasSubstr("how long from now"));
    EXPECT_THAT(run({"reservation", "ls"}).out, HasSubstr("nightly       alice   node1,node2   1.5"));
    EXPECT_EQ(run({"reservation", "rm", "nightly"}).exit_status, 0);
    EXPECT_EQ(controller_.deleted, "nightly");
}

TEST_F(CapacityCommands, AConflictIsShownAsItIs) {
    controller_.refusal = {grpc::StatusCode::RESOURCE_EXHAUSTED, "node 'node1' has 2000m CPU: slice 'web' 1500m"};
    const Outcome refused = run({"reservation", "create", "x", "--for", "4h", "--cpus", "1", "--nodes", "1"});
    EXPECT_EQ(refused.exit_status, 2);
    EXPECT_EQ(refused.err, "slicectl: node 'node1' has 2000m CPU: slice 'web' 1500m\n");
}

TEST_F(CapacityCommands, ALoanIsMadeAndReturned) {
    const Outcome lent = run({"slice", "lend", "web", "--to", "batch", "--cpus", "0.5", "--for", "2h"});
    EXPECT_EQ(lent.exit_status, 0) << lent.err;
    EXPECT_THAT(lent.out, HasSubstr("node3"));
    EXPECT_EQ(controller_.lent.name(), "web");
    EXPECT_EQ(controller_.lent.borrower(), "batch");
    EXPECT_EQ(controller_.lent.cpu_millis(), 500U);
    EXPECT_EQ(controller_.lent.duration_s(), 7200U);
    EXPECT_EQ(run({"slice", "return", "batch", "--to", "web"}).exit_status, 0);
    EXPECT_EQ(controller_.returned.name(), "batch");
    EXPECT_EQ(controller_.returned.lender(), "web");
    EXPECT_THAT(run({"slice", "loans"}).out, HasSubstr("web"));
}

TEST_F(CapacityCommands, ASliceSaysWhatHappensWhenANodeIsLost) {
    controller_.addOperationState(v1::OPERATION_STATE_DONE, 1, 1);
    controller_.addSliver("web", 1, "node1");
    EXPECT_EQ(run({"slice", "create", "web", "--image", "debian", "--nodes", "1", "--on-node-loss", "stay",
                   "--reservation", "nightly"})
                  .exit_status,
              0);
    EXPECT_EQ(controller_.created.rules().on_node_loss(), v1::ON_NODE_LOSS_STAY);
    EXPECT_EQ(controller_.created.reservation(), "nightly");
    EXPECT_EQ(run({"slice", "set", "web", "--on-node-loss", "replace"}).exit_status, 0);
    EXPECT_EQ(controller_.changed.on_node_loss(), v1::ON_NODE_LOSS_REPLACE);
    EXPECT_THAT(run({"slice", "set", "web", "--on-node-loss", "panic"}).err,
                HasSubstr("--on-node-loss 'panic' is not valid: use replace or stay"));
}

TEST_F(CapacityCommands, ARenewalThatIsShorterSaysWhy) {
    EXPECT_EQ(run({"slice", "renew", "web"}).err, "");
    controller_.lease_note = "reservation 'nightly' ends then";
    EXPECT_THAT(run({"slice", "renew", "web", "--lease", "20d"}).err,
                HasSubstr("shorter than what was asked for: reservation 'nightly' ends then"));
}

}  // namespace
}  // namespace homeslice::ctl
