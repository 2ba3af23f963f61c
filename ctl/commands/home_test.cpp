#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ctl/commands/fake_controller.h"
#include "ctl/commands/home_changes.h"

namespace homeslice::ctl {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

Value binding(const std::string& care_of, int generation) {
    return {{"home_agent", "ha"},       {"home_address", "fd51:1ce:0:7::1:2"},
            {"binding_id", 0},          {"care_of_address", care_of},
            {"generation", generation}, {"state", "active"},
            {"priority", 64},           {"weight", 1},
            {"in_charge", true},        {"remaining_s", 40}};
}

TEST(HomeShow, FindsByAddressSliceAndSliver) {
    FakeController controller;
    for (const char* what : {"fd51:1ce:0:7::1:2", "web", "web/2"}) {
        const Value shown = Value::parse(slicectl(controller, {"home", "show", what, "-o", "json"}).out);
        ASSERT_THAT(shown, SizeIs(1)) << what;
        EXPECT_EQ(shown.at(0).at("care_of_address"), "fd00:51ce::1");
        EXPECT_EQ(shown.at(0).at("state"), "draining");
        EXPECT_EQ(shown.at(0).at("priority"), 10);
    }
    EXPECT_THAT(slicectl(controller, {"home", "show", "web/2"}).out, HasSubstr("draining"));
    EXPECT_EQ(slicectl(controller, {"home", "show", "web/3"}).exit_status, 3);
    EXPECT_EQ(slicectl(controller, {"home", "show", "fd51:1ce::9"}).exit_status, 3);
    EXPECT_EQ(slicectl(controller, {"home", "show", "No Name"}).exit_status, 1);
}

TEST(HomeWatch, SaysWhatHappenedButNoRefresh) {
    HomeChanges changes;
    EXPECT_EQ(changes.since(Value::array({binding("fd00::1", 1)})).at(0).at("change"), "bound");
    Value refreshed = binding("fd00::1", 1);
    refreshed["remaining_s"] = 20;
    EXPECT_THAT(changes.since(Value::array({refreshed})), IsEmpty());
    EXPECT_EQ(changes.since(Value::array({binding("fd00::2", 2)})).at(0).at("change"), "moved");
    Value drained = binding("fd00::2", 2);
    drained["state"] = "draining";
    EXPECT_EQ(changes.since(Value::array({drained})).at(0).at("change"), "changed");
    EXPECT_EQ(changes.since(Value::array()).at(0).at("change"), "gone");
}

}  // namespace
}  // namespace homeslice::ctl
