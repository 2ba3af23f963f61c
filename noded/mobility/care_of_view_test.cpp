#include "noded/mobility/care_of_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace homeslice::mobility {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const Ipv6Address kHome1 = *Ipv6Address::parse("fd51:1ce:0:1::1:1");
const Ipv6Address kHome2 = *Ipv6Address::parse("fd51:1ce:0:1::1:2");
const Ipv6Address kNode1 = *Ipv6Address::parse("fd00:51ce::1");
const Ipv6Address kNode2 = *Ipv6Address::parse("fd00:51ce::2");

BindingEvent bound(const Ipv6Address& home, const Ipv6Address& care_of, uint64_t generation = 1) {
    BindingEvent event;
    event.binding.key.home_address = home;
    event.binding.care_of_address = care_of;
    event.binding.generation = generation;
    return event;
}

BindingEvent snapshotEnd() {
    BindingEvent event;
    event.kind = BindingEvent::Kind::snapshot_end;
    return event;
}

TEST(CareOfViewTest, SnapshotDropsWhatItDoesNotName) {
    CareOfView view;
    view.beginSnapshot();
    view.apply(bound(kHome1, kNode1));
    view.apply(bound(kHome2, kNode1));
    EXPECT_THAT(view.apply(snapshotEnd()), IsEmpty());
    view.apply(bound(kHome2, kNode2));
    view.beginSnapshot();
    view.apply(bound(kHome1, kNode1));
    EXPECT_THAT(view.apply(snapshotEnd()), ElementsAre(kHome2));
    EXPECT_THAT(view.bindings(), SizeIs(1));
}

TEST(CareOfViewTest, LaterGenerationWinsBetweenHomeAgents) {
    CareOfView behind;
    CareOfView ahead;
    behind.apply(bound(kHome1, kNode1, 1));
    ahead.apply(bound(kHome1, kNode2, 2));
    for (const auto& views : {std::vector<const CareOfView*>{&behind, &ahead}, {&ahead, &behind}}) {
        const auto merged = mergedBindings(views, kHome1);
        ASSERT_THAT(merged, SizeIs(1));
        EXPECT_EQ(merged[0].care_of_address, kNode2);
    }
}

}  // namespace
}  // namespace homeslice::mobility
