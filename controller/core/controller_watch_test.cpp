#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/reason.h"
#include "controller/core/test_world.h"

namespace homeslice::controller {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;
using testing_support::TestWorld;

const Caller kAdmin{"admin", UserRole::admin};

// "slice web", "gone sliver web/1", "lease web".
struct Describe {
    std::string operator()(const NodeView& view) const { return "node " + view.node.name; }
    std::string operator()(const SliceView& view) const { return "slice " + view.slice.name; }
    std::string operator()(const SliverView& view) const { return "sliver " + view.id.toString(); }
    std::string operator()(const Operation& operation) const {
        return std::string("operation ") + toString(operation.kind) + (operation.ended() ? " ended" : "");
    }
    std::string operator()(const LeaseWarning& warning) const { return "lease " + warning.slice; }
    std::string operator()(const ChangedThing& gone) const {
        if (gone.kind == ChangeKind::operation) return "gone operation";
        if (gone.kind == ChangeKind::sliver) return "gone sliver " + SliverId{gone.name, gone.index}.toString();
        return "gone " + gone.name;
    }
};

class Watcher {
public:
    Watcher(TestWorld& world, WatchRequest request) : world_(world) {
        auto cursor = world.controller().beginWatch(request);
        EXPECT_TRUE(cursor.ok()) << cursor.status();
        if (cursor.ok()) cursor_.emplace(*std::move(cursor));
    }
    // All that there is to tell now.
    std::vector<std::string> news() {
        std::vector<std::string> texts;
        whole = false;
        for (bool more = true; more;) {
            const auto batch = world_.controller().continueWatch(*cursor_);
            EXPECT_TRUE(batch.ok()) << batch.status();
            if (!batch.ok()) break;
            for (const WatchEvent& event : batch->events) texts.push_back(std::visit(Describe(), event));
            revision = batch->revision;
            whole = whole || batch->whole;
            more = batch->more;
        }
        return texts;
    }
    absl::Status end() { return world_.controller().continueWatch(*cursor_).status(); }

    uint64_t revision = 0;
    bool whole = false;

private:
    TestWorld& world_;
    std::optional<WatchCursor> cursor_;
};

WatchRequest all(const Caller& caller = kAdmin, uint64_t revision = 0) {
    WatchRequest request;
    request.caller = caller;
    request.revision = revision;
    return request;
}

void addUsers(TestWorld& world) {
    for (const char* name : {"alice", "bob"}) ASSERT_TRUE(world.controller().addUser(name, UserRole::user, 0).ok());
}

absl::StatusOr<Operation> createOf(TestWorld& world, const std::string& owner, const std::string& name) {
    CreateSliceRequest request;
    request.name = name;
    request.owner = owner;
    request.base.image = "busybox";
    request.where.nodes = {"node1"};
    return world.controller().createSlice(request);
}

TEST(Watch, BeginsWithTheWholeAndGoesOnWithWhatChanges) {
    TestWorld world;
    world.addLab(1);
    ASSERT_TRUE(world.create("web", {"node1"}).ok());
    Watcher watcher(world, all());
    const std::vector<std::string> all_things = watcher.news();
    ASSERT_THAT(all_things, SizeIs(5));
    EXPECT_THAT(std::vector(all_things.begin(), all_things.begin() + 3),
                ElementsAre("node node1", "slice web", "sliver web/1"));
    EXPECT_THAT(std::vector(all_things.begin() + 3, all_things.end()),
                UnorderedElementsAre("operation import image ended", "operation create slice"));
    EXPECT_TRUE(watcher.whole);
    EXPECT_EQ(watcher.revision, world.store().load()->revision);
    EXPECT_THAT(watcher.news(), IsEmpty());
    world.settle();
    world.controller().tick();
    EXPECT_THAT(watcher.news(), UnorderedElementsAre("sliver web/1", "operation create slice ended", "slice web"));
    EXPECT_FALSE(watcher.whole);
    world.report("node1");
    world.controller().tick();
    EXPECT_THAT(watcher.news(), IsEmpty()) << "a heartbeat is no news";
}

TEST(Watch, ResumesWithExactlyWhatWasMissed) {
    TestWorld world;
    world.addLab(2);
    ASSERT_TRUE(world.create("web", {"node1"}).ok());
    world.settle();
    world.controller().tick();
    ASSERT_TRUE(world.controller().renewSlice("web", 3600).ok());
    Watcher before(world, all());
    before.news();
    ASSERT_TRUE(world.create("db", {"node2"}).ok());
    Watcher resumed(world, all(kAdmin, before.revision));
    EXPECT_THAT(resumed.news(), UnorderedElementsAre("slice db", "sliver db/1", "operation create slice"));
    EXPECT_FALSE(resumed.whole);
    Watcher up_to_date(world, all(kAdmin, resumed.revision));
    EXPECT_THAT(up_to_date.news(), IsEmpty());
}

TEST(Watch, WhatIsNotStoredIsToldOnceTooOftenRatherThanNever) {
    TestWorld world;
    world.addLab(1);
    ASSERT_TRUE(world.create("web", {"node1"}).ok());
    world.settle();
    world.controller().tick();
    Watcher before(world, all());
    before.news();
    world.node("node1").slivers[{"web", 1}].health = Health::unhealthy;
    world.report("node1");
    Watcher resumed(world, all(kAdmin, before.revision));
    EXPECT_THAT(resumed.news(), Contains("sliver web/1"));
}

TEST(Watch, SeveralChangesOfAThingAreToldAsOneAndTheErasedAsGone) {
    TestWorld world;
    world.addLab(1);
    Watcher watcher(world, all());
    watcher.news();
    ASSERT_TRUE(world.create("web", {"node1"}).ok());
    world.settle();
    ASSERT_TRUE(world.controller().renewSlice("web", 3600).ok());
    ASSERT_TRUE(world.controller().renewSlice("web", 7200).ok());
    EXPECT_THAT(watcher.news(), UnorderedElementsAre("slice web", "sliver web/1", "operation create slice ended"));
    ASSERT_TRUE(world.controller().deleteSlice("web", "").ok());
    world.settle();
    EXPECT_THAT(watcher.news(), UnorderedElementsAre("gone web", "gone sliver web/1", "operation delete slice ended"));
}

TEST(Watch, GoesOnOverARestart) {
    TestWorld world;
    world.addLab(1);
    Watcher before(world, all());
    before.news();
    world.start();
    // Nothing was stored meanwhile: the revision is the store's.
    Watcher after(world, all(kAdmin, before.revision));
    EXPECT_THAT(after.news(), IsEmpty());
    world.connect("node1");
    EXPECT_THAT(after.news(), ElementsAre("node node1"));
    EXPECT_EQ(after.revision, before.revision);
    const uint64_t old = after.revision;
    ASSERT_TRUE(world.create("web", {"node1"}).ok());
    world.start();
    const absl::Status gone = world.controller().beginWatch(all(kAdmin, old)).status();
    EXPECT_EQ(gone.code(), absl::StatusCode::kOutOfRange);
    EXPECT_EQ(reasonOf(gone).word, reason::kRevisionGone);
}

TEST(Watch, ShowsToEachWhatListsShow) {
    TestWorld world;
    world.addLab(1);
    addUsers(world);
    const Caller alice{"alice", UserRole::user};
    const Caller bob{"bob", UserRole::user};
    ASSERT_TRUE(createOf(world, "alice", "web").ok());
    Watcher of_alice(world, all(alice));
    Watcher of_bob(world, all(bob));
    EXPECT_THAT(of_alice.news(), ElementsAre("node node1", "slice web", "sliver web/1", "operation create slice"));
    EXPECT_THAT(of_bob.news(), ElementsAre("node node1"));
    ASSERT_TRUE(world.controller().shareSlice("web", "bob", false).ok());
    EXPECT_THAT(of_bob.news(), UnorderedElementsAre("slice web", "sliver web/1"));
    ASSERT_TRUE(world.controller().shareSlice("web", "bob", true).ok());
    EXPECT_THAT(of_bob.news(), UnorderedElementsAre("gone web", "gone sliver web/1"));
    of_alice.news();
    ASSERT_TRUE(world.controller().deleteSlice("web", "").ok());
    world.settle();
    EXPECT_THAT(of_alice.news(), Contains("gone web"));
    EXPECT_THAT(of_bob.news(), IsEmpty());
}

TEST(Watch, TellsOfTheKindsAndTheSliceThatWereAskedFor) {
    TestWorld world;
    world.addLab(1);
    ASSERT_TRUE(world.create("web", {"node1"}).ok());
    ASSERT_TRUE(world.create("db", {"node1"}).ok());
    WatchRequest request = all();
    request.kinds = {ChangeKind::slice, ChangeKind::sliver};
    request.slice = "web";
    Watcher watcher(world, request);
    EXPECT_THAT(watcher.news(), ElementsAre("slice web", "sliver web/1"));
    ASSERT_TRUE(world.controller().renewSlice("db", 3600).ok());
    EXPECT_THAT(watcher.news(), IsEmpty());
    EXPECT_EQ(watcher.revision, world.store().load()->revision);
}

TEST(Watch, TellsOfNodesThatFallSilentAndTheirSlivers) {
    TestWorld world;
    world.addLab(1);
    ASSERT_TRUE(world.create("web", {"node1"}).ok());
    world.settle();
    world.controller().tick();
    Watcher watcher(world, all());
    watcher.news();
    world.pass(std::chrono::seconds(30));
    world.controller().tick();
    EXPECT_THAT(watcher.news(), UnorderedElementsAre("node node1", "sliver web/1", "slice web"));
}

TEST(Watch, WarnsOnceOfALeaseThatEndsSoon) {
    TestWorld world;
    world.addLab(1);
    ASSERT_TRUE(world.create("web", {"node1"}).ok());
    world.settle();
    Watcher watcher(world, all());
    watcher.news();
    world.passWithout({}, std::chrono::seconds(1));
    EXPECT_THAT(watcher.news(), Not(Contains("lease web")));
    world.pass(std::chrono::hours(24 * 6) + std::chrono::minutes(1));
    world.settle();
    world.controller().tick();
    EXPECT_THAT(watcher.news(), Contains("lease web"));
    world.controller().tick();
    EXPECT_THAT(watcher.news(), Not(Contains("lease web")));
}

TEST(Watch, CutsOffWhoIsTooSlow) {
    TestWorld world;
    world.config.changes_kept = 10;
    world.start();
    world.addLab(1);
    ASSERT_TRUE(world.create("web", {"node1"}).ok());
    Watcher slow(world, all());
    slow.news();
    for (int i = 0; i <= 10; ++i) ASSERT_TRUE(world.controller().renewSlice("web", 3600).ok());
    EXPECT_EQ(slow.end().code(), absl::StatusCode::kOutOfRange);
    EXPECT_EQ(reasonOf(slow.end()).word, reason::kRevisionGone);
}

TEST(Watch, APictureOfManyThingsComesInPieces) {
    TestWorld world;
    world.addLab(1);
    CreateSliceRequest request;
    request.name = "many";
    request.base.image = "busybox";
    request.where.nodes = {"node1"};
    request.where.sliver_count = 1000;
    ASSERT_TRUE(world.controller().createSlice(request).ok());
    auto cursor = world.controller().beginWatch(all());
    ASSERT_TRUE(cursor.ok());
    std::set<std::string> seen;
    size_t events = 0;
    for (bool whole = false; !whole;) {
        const auto batch = world.controller().continueWatch(*cursor);
        ASSERT_TRUE(batch.ok());
        EXPECT_LE(batch->events.size(), 256U);
        for (const WatchEvent& event : batch->events) seen.insert(std::visit(Describe(), event));
        events += batch->events.size();
        whole = batch->whole;
        if (events < 300) {
            ASSERT_TRUE(world.controller().renewSlice("many", 3600).ok());
        }
    }
    EXPECT_EQ(events, 1000U + 4);
    EXPECT_EQ(seen.size(), events) << "each once";
}

}  // namespace
}  // namespace homeslice::controller
