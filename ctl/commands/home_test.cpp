#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

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
    EXPECT_EQ(changes.bound(binding("fd00::1", 1))->at("change"), "bound");
    Value refreshed = binding("fd00::1", 1);
    refreshed["remaining_s"] = 20;
    EXPECT_FALSE(changes.bound(refreshed));
    EXPECT_EQ(changes.bound(binding("fd00::2", 2))->at("change"), "moved");
    Value drained = binding("fd00::2", 2);
    drained["state"] = "draining";
    EXPECT_EQ(changes.bound(drained)->at("change"), "changed");
    EXPECT_EQ(changes.roleChanged("ha", false).at(0).at("change"), "changed");
    EXPECT_THAT(changes.roleChanged("ha", false), IsEmpty());
    EXPECT_THAT(changes.roleChanged("ha2", true), IsEmpty());
    EXPECT_EQ(changes.unbound(drained)->at("change"), "gone");
    EXPECT_FALSE(changes.unbound(drained));
}

TEST(HomeWatch, OfANewPictureOnlyDifferencesAreSaid) {
    HomeChanges changes;
    Value other = binding("fd00::1", 1);
    other["binding_id"] = 2;
    changes.bound(binding("fd00::1", 1));
    changes.bound(other);
    EXPECT_THAT(changes.end(), IsEmpty());
    changes.begin();
    EXPECT_FALSE(changes.bound(other));
    const std::vector<Value> gone = changes.end();
    ASSERT_THAT(gone, SizeIs(1));
    EXPECT_EQ(gone.at(0).at("change"), "gone");
    EXPECT_EQ(gone.at(0).at("binding_id"), 0);
}

// The controller's first answer ends since another home agent is ready, the second since the controller goes.
TEST(HomeWatch, FollowsTheStreamAndBeginsAnew) {
    FakeController controller;
    const Outcome watched = slicectl(controller, {"home", "watch"});
    EXPECT_EQ(watched.exit_status, 1);
    EXPECT_THAT(watched.err, HasSubstr("going down"));
    EXPECT_THAT(watched.out, HasSubstr("ha: bound fd51:1ce:0:7::1:2 (web/2)"));
    EXPECT_THAT(watched.out, HasSubstr("ha: gone fd51:1ce:0:7::1:2 (web/2)"));
    EXPECT_THAT(watched.out, HasSubstr("ha2: bound fd51:1ce:0:7::1:2 (web/2)"));
    EXPECT_EQ(std::count(watched.out.begin(), watched.out.end(), '\n'), 3);
}

}  // namespace
}  // namespace homeslice::ctl
