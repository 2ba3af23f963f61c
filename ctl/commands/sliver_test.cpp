#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ctl/commands/fake_controller.h"
#include "ctl/output/value.h"

namespace homeslice::ctl {
namespace {

using ::testing::HasSubstr;

class SliverCommands : public ::testing::Test {
protected:
    SliverCommands() {
        controller_.addSliver("web", 1, "node1");
        controller_.addSliver("web", 2, "node2");
    }

    FakeController controller_;
};

TEST_F(SliverCommands, MoveSaysHowLongItTook) {
    controller_.addOperationState(v1::OPERATION_STATE_DONE, 1, 1);
    const Outcome outcome = slicectl(controller_, {"sliver", "move", "web/2", "--to", "node3"});
    EXPECT_EQ(outcome.exit_status, 0);
    EXPECT_EQ(outcome.err, "sliver web/2: moved to node3 in 0.41 s\n");
    EXPECT_EQ(controller_.moved.id().index(), 2u);
    EXPECT_EQ(controller_.moved.to_node(), "node3");
}

TEST_F(SliverCommands, MoveInJsonHasTheDuration) {
    controller_.addOperationState(v1::OPERATION_STATE_DONE, 1, 1);
    const Outcome outcome = slicectl(controller_, {"sliver", "move", "web/2", "--to", "node3", "-o", "json"});
    EXPECT_EQ(Value::parse(outcome.out).at("duration_ms"), 412);
}

TEST_F(SliverCommands, DrainUndrainAndWeightChangeOnlyThat) {
    for (int i = 0; i < 3; ++i) controller_.addOperationState(v1::OPERATION_STATE_DONE, 1, 1);
    const Outcome drained = slicectl(controller_, {"sliver", "drain", "web/2"});
    EXPECT_EQ(drained.err, "sliver web/2: takes no new flow; those that it has go on\n");
    EXPECT_EQ(controller_.changed.name(), "web");
    ASSERT_EQ(controller_.changed.shares_size(), 1);
    EXPECT_EQ(controller_.changed.shares(0).index(), 2u);
    EXPECT_TRUE(controller_.changed.shares(0).draining());
    EXPECT_FALSE(controller_.changed.shares(0).has_weight());
    EXPECT_FALSE(controller_.changed.has_balance());
    EXPECT_EQ(slicectl(controller_, {"sliver", "undrain", "web"}).exit_status, 0);
    EXPECT_EQ(controller_.changed.shares(0).index(), 0u) << "all of the slice";
    EXPECT_TRUE(controller_.changed.shares(0).has_draining());
    EXPECT_FALSE(controller_.changed.shares(0).draining());
    EXPECT_EQ(slicectl(controller_, {"sliver", "weight", "web/1", "3"}).exit_status, 0);
    EXPECT_EQ(controller_.changed.shares(0).weight(), 3u);
    for (const char* const weight : {"0", "1001", "-1", "x"})
        EXPECT_EQ(slicectl(controller_, {"sliver", "weight", "web/1", weight}).exit_status, 1) << weight;
}

TEST_F(SliverCommands, ListAndShow) {
    const Outcome list = slicectl(controller_, {"sliver", "ls", "web", "-o", "json"});
    EXPECT_EQ(Value::parse(list.out).size(), 2u);
    const Outcome show = slicectl(controller_, {"sliver", "show", "web/2"});
    EXPECT_THAT(show.out, HasSubstr("home address:  fd51:1ce:0:7::1:2\n"));
    EXPECT_EQ(slicectl(controller_, {"sliver", "show", "web/9"}).exit_status, 3);
}

TEST_F(SliverCommands, LogsAreText) {
    controller_.log = "2026-01-02T03:04:05.678Z stdout F one\n2026-01-02T03:04:06.678Z stderr F two\n";
    EXPECT_EQ(slicectl(controller_, {"logs", "web/1"}).out, "one\ntwo\n");
    EXPECT_EQ(slicectl(controller_, {"logs", "web"}).out, "web/1 | one\nweb/1 | two\nweb/2 | one\nweb/2 | two\n");
    EXPECT_THAT(slicectl(controller_, {"logs", "web/1", "--timestamps"}).out,
                HasSubstr("2026-01-02T03:04:06.678Z two\n"));
}

TEST_F(SliverCommands, LogsOfNothingAreThree) {
    const Outcome outcome = slicectl(controller_, {"logs", "nothing"});
    EXPECT_EQ(outcome.exit_status, 3);
    EXPECT_THAT(outcome.err, HasSubstr("no slice 'nothing'"));
}

}  // namespace
}  // namespace homeslice::ctl
