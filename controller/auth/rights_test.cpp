#include "controller/auth/rights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"

namespace homeslice::controller {
namespace {

using ::testing::HasSubstr;

const Caller kAdmin{"root", UserRole::admin};
const Caller kAlice{"alice", UserRole::user};
const Caller kBob{"bob", UserRole::user};
const Caller kCarol{"carol", UserRole::user};

Slice alicesSlice() {
    Slice slice;
    slice.name = "web";
    slice.owner = "alice";
    slice.members = {"bob"};
    return slice;
}

TEST(RightsTest, MembersUseASliceButDoNotOwnIt) {
    const Slice slice = alicesSlice();
    EXPECT_TRUE(checkRight(kAlice, Right::own_slice, slice).ok());
    EXPECT_TRUE(checkRight(kAlice, Right::use_slice, slice).ok());
    EXPECT_TRUE(checkRight(kBob, Right::use_slice, slice).ok());
    EXPECT_FALSE(checkRight(kBob, Right::own_slice, slice).ok());
    EXPECT_FALSE(checkRight(kCarol, Right::use_slice, slice).ok());
    EXPECT_TRUE(checkRight(kAdmin, Right::own_slice, slice).ok());
    EXPECT_TRUE(maySee(kBob, slice));
    EXPECT_FALSE(maySee(kCarol, slice));
}

TEST(RightsTest, ASliceWithoutAnOwnerIsTheAdministrators) {
    Slice slice = alicesSlice();
    slice.owner.clear();
    slice.members.clear();
    EXPECT_FALSE(checkRight(kAlice, Right::use_slice, slice).ok());
    EXPECT_TRUE(checkRight(kAdmin, Right::own_slice, slice).ok());
}

TEST(RightsTest, ARefusalNamesTheRightInOneLine) {
    const absl::Status slice = checkRight(kCarol, Right::own_slice, alicesSlice());
    EXPECT_EQ(slice.code(), absl::StatusCode::kPermissionDenied);
    EXPECT_EQ(messageOf(slice), "user 'carol' lacks the right 'own slice' on slice 'web': ask its owner 'alice'");
    const absl::Status nodes = checkRight(kCarol, Right::manage_nodes);
    EXPECT_EQ(messageOf(nodes), "user 'carol' lacks the right 'manage nodes', which administrators have");
    EXPECT_THAT(messageOf(checkEditUser(kCarol, "alice")), HasSubstr("'edit user' on user 'alice'"));
    EXPECT_TRUE(checkEditUser(kCarol, "carol").ok());
    EXPECT_TRUE(checkEditUser(kAdmin, "carol").ok());
}

TEST(RightsTest, UsersLookAndCreateAdministratorsManage) {
    EXPECT_TRUE(checkRight(kCarol, Right::look).ok());
    EXPECT_TRUE(checkRight(kCarol, Right::create_slices).ok());
    for (const Right right : {Right::manage_images, Right::manage_nodes, Right::manage_users, Right::read_audit}) {
        EXPECT_FALSE(checkRight(kCarol, right).ok()) << toString(right);
        EXPECT_TRUE(checkRight(kAdmin, right).ok()) << toString(right);
    }
}

TEST(RightsTest, AnUnknownMethodHasNoRight) {
    EXPECT_EQ(findMethod("FormatDisks"), nullptr);
    EXPECT_EQ(findMethod("DeleteSlice")->right, Right::own_slice);
}

}  // namespace
}  // namespace homeslice::controller
