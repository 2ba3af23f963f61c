// Quotas, reservations, loans and leases, through the whole core: guarantees are never oversold.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/core/test_world.h"

namespace homeslice::controller {
namespace {

using std::chrono::hours;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing_support::TestWorld;

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr int64_t kHourUs = int64_t{3600} * 1'000'000;

class CapacityTest : public ::testing::Test {
protected:
    void SetUp() override {
        world_.addLab(2);  // of two processors each
        ASSERT_TRUE(world_.controller().addUser("alice", UserRole::user, 0).ok());
        world_.settle();
    }

    CreateSliceRequest slice(const std::string& name, std::vector<std::string> nodes, uint32_t guarantee_millis) {
        CreateSliceRequest request;
        request.name = name;
        request.owner = "alice";
        request.base.image = "busybox";
        request.base.resources.cpu_reservation_millis = guarantee_millis;
        request.where.nodes = std::move(nodes);
        request.lease_s = 24 * 3600;
        return request;
    }
    absl::Status create(const CreateSliceRequest& request) {
        const absl::Status created = world_.controller().createSlice(request).status();
        world_.settle();
        return created;
    }
    absl::StatusOr<ReservationView> reserve(const std::string& name, std::vector<std::string> nodes,
                                            uint32_t cpu_millis, hours from, hours length) {
        ReservationRequest request;
        request.wanted.name = name;
        request.wanted.owner = "alice";
        request.wanted.cpu_millis = cpu_millis;
        request.wanted.start_us = from.count() == 0 ? 0 : now() + from.count() * kHourUs;
        request.duration_s = static_cast<uint32_t>(length.count() * 3600);
        request.nodes = std::move(nodes);
        return world_.controller().createReservation(request);
    }
    int64_t now() { return world_.now(); }
    uint32_t guaranteeOf(const SliverId& id, const std::string& node) {
        const SliverSpec* spec = world_.node(node).desired(id);
        return spec == nullptr ? 0 : spec->base.resources.cpu_reservation_millis;
    }
    static std::string text(const absl::Status& status) { return messageOf(status); }

    TestWorld world_;
};

TEST_F(CapacityTest, AQuotaIsRefusedByNameWithWhatIsLeft) {
    QuotaChange change;
    change.limits.slivers = 3;
    change.limits.memory_bytes = 1000 * kMiB;
    ASSERT_TRUE(world_.controller().setQuota("alice", change).ok());
    CreateSliceRequest request = slice("web", {"node1", "node2"}, 0);
    EXPECT_THAT(text(create(request)), AllOf(HasSubstr("has a quota of memory"), HasSubstr("--memory")));
    request.base.resources.memory_bytes = 400 * kMiB;
    ASSERT_EQ(create(request), absl::OkStatus());
    EXPECT_EQ(world_.controller().user("alice")->usage.memory_bytes, 800 * kMiB);
    request.name = "more";
    const absl::Status refused = create(request);
    EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(text(refused), "the quota of user 'alice' for slivers is 3: 2 used, 1 left, 2 asked for");
    EXPECT_EQ(world_.controller().planSlice(request).status(), refused) << "a plan tells before";
    request.where.nodes = {"node1"};
    EXPECT_THAT(text(create(request)), HasSubstr("for memory is 1000M: 800M used, 200M left, 400M asked for"));
    SliceChange grow;
    grow.resources = [](const Resources& now) {
        Resources next = now;
        next.memory_bytes = 501 * kMiB;
        return absl::StatusOr<Resources>(next);
    };
    EXPECT_EQ(world_.controller().setSlice("web", grow, "").status().code(), absl::StatusCode::kResourceExhausted);
    change.limits = {.slivers = 1};
    change.unlimited = {"memory"};
    ASSERT_TRUE(world_.controller().setQuota("alice", change).ok()) << "what is used stays";
    EXPECT_TRUE(world_.controller().setSlice("web", grow, "").ok()) << "it grows by what is not limited";
    change.unlimited = {"hope"};
    EXPECT_EQ(world_.controller().setQuota("alice", change).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(CapacityTest, AQuotaOutlivesTheControllerAndFreesWithTheSlice) {
    QuotaChange change;
    change.limits.slivers = 1;
    ASSERT_TRUE(world_.controller().setQuota("alice", change).ok());
    ASSERT_EQ(create(slice("web", {"node1"}, 0)), absl::OkStatus());
    world_.restart();
    EXPECT_EQ(create(slice("more", {"node1"}, 0)).code(), absl::StatusCode::kResourceExhausted);
    ASSERT_TRUE(world_.controller().deleteSlice("web", "").ok());
    EXPECT_EQ(create(slice("more", {"node1"}, 0)), absl::OkStatus());
}

TEST_F(CapacityTest, AReservationIsRefusedByTheNamesOfWhatIsInTheWay) {
    ASSERT_EQ(create(slice("web", {"node1"}, 1500)), absl::OkStatus());
    ASSERT_TRUE(reserve("early", {"node1"}, 500, hours(2), hours(2)).ok());
    const auto refused = reserve("late", {"node1"}, 300, hours(3), hours(2));
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(text(refused.status()), AllOf(HasSubstr("slice 'web' 1500m until"),
                                              HasSubstr("reservation 'early' 500m from"), HasSubstr("300m more")));
    EXPECT_TRUE(reserve("after", {"node1"}, 2000, hours(25), hours(2)).ok()) << "the lease of web ends before that";
    EXPECT_EQ(reserve("after", {"node2"}, 1, hours(25), hours(2)).status().code(), absl::StatusCode::kAlreadyExists);
    EXPECT_EQ(reserve("none", {"node9"}, 1, hours(1), hours(2)).status().code(), absl::StatusCode::kNotFound);
    EXPECT_EQ(reserve("zero", {"node1"}, 1, hours(1), hours(0)).status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(reserve("past", {"node1"}, 1, hours(-1), hours(2)).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(CapacityTest, WhatIsReservedIsForNobodyElse) {
    ASSERT_TRUE(reserve("nightly", {"node1"}, 1500, hours(2), hours(4)).ok());
    const absl::Status refused = create(slice("web", {"node1"}, 1000));
    EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(text(refused), HasSubstr("1500m held by reservation nightly"));
    CreateSliceRequest brief = slice("brief", {"node1"}, 1000);
    brief.lease_s = 3600;
    EXPECT_EQ(create(brief), absl::OkStatus()) << "it is gone before the reservation begins";
    CreateSliceRequest on_it = slice("night", {"node1"}, 1000);
    on_it.reservation = "nightly";
    EXPECT_THAT(text(create(on_it)), HasSubstr("begins at"));
    SliceChange grow;
    grow.resources = [](const Resources& now) {
        Resources next = now;
        next.cpu_reservation_millis += 100;
        return absl::StatusOr<Resources>(next);
    };
    EXPECT_TRUE(world_.controller().setSlice("brief", grow, "").ok());
}

TEST_F(CapacityTest, SlicesOnAReservationShareItAndEndWithIt) {
    ASSERT_TRUE(reserve("nightly", {"node1"}, 1500, hours(0), hours(4)).ok());
    CreateSliceRequest first = slice("first", {"node1"}, 1000);
    first.reservation = "nightly";
    ASSERT_EQ(create(first), absl::OkStatus());
    EXPECT_EQ(world_.controller().slice("first")->slice.lease_end_us, now() + 4 * kHourUs);
    CreateSliceRequest second = slice("second", {"node1"}, 600);
    second.reservation = "nightly";
    EXPECT_THAT(text(create(second)), HasSubstr("less than 600m CPU left"));
    second.base.resources.cpu_reservation_millis = 500;
    EXPECT_EQ(create(second), absl::OkStatus());
    EXPECT_EQ(create(slice("beside", {"node1"}, 600)).code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(create(slice("beside", {"node1"}, 500)), absl::OkStatus()) << "of two processors these are left";
    second.name = "elsewhere";
    second.where.nodes = {"node2"};
    EXPECT_THAT(text(create(second)), HasSubstr("not in reservation nightly"));
    second.owner = "bob";
    EXPECT_EQ(create(second).code(), absl::StatusCode::kPermissionDenied);
    EXPECT_EQ(world_.controller().removeReservation("nightly").code(), absl::StatusCode::kFailedPrecondition);
    const auto renewed = world_.controller().renewSlice("first", 10 * 3600);
    ASSERT_TRUE(renewed.ok()) << renewed.status();
    EXPECT_EQ(renewed->view.slice.lease_end_us, now() + 4 * kHourUs);
    EXPECT_THAT(renewed->note, HasSubstr("reservation 'nightly' ends then"));
    world_.passWithout({}, std::chrono::seconds(1));
    world_.pass(hours(4));
    world_.report("node1");
    world_.controller().tick();
    EXPECT_TRUE(world_.controller().slice("first")->slice.suspended);
    EXPECT_THAT(text(world_.controller().renewSlice("first", 3600).status()), HasSubstr("has ended"));
}

TEST_F(CapacityTest, ALeaseIsRenewedUpToWhatIsReserved) {
    ASSERT_EQ(create(slice("web", {"node1"}, 1000)), absl::OkStatus());
    ASSERT_TRUE(reserve("big", {"node1"}, 1500, hours(30), hours(2)).ok());
    const auto renewed = world_.controller().renewSlice("web", 48 * 3600);
    ASSERT_TRUE(renewed.ok()) << renewed.status();
    EXPECT_EQ(renewed->view.slice.lease_end_us, now() + 30 * kHourUs) << "the lease really granted";
    EXPECT_THAT(renewed->note, HasSubstr("reservation 'big' has 1500m of node 'node1' from then"));
    ASSERT_TRUE(world_.controller().removeReservation("big").ok());
    EXPECT_EQ(world_.controller().renewSlice("web", 48 * 3600)->view.slice.lease_end_us, now() + 48 * kHourUs);
    EXPECT_EQ(world_.controller().renewSlice("web", 48 * 3600)->note, "");
}

TEST_F(CapacityTest, AnyNodesWithRoomWillDo) {
    ASSERT_EQ(create(slice("web", {"node1"}, 1000)), absl::OkStatus());
    ReservationRequest request;
    request.wanted = {.name = "any", .owner = "alice", .nodes = {}, .cpu_millis = 1500};
    request.duration_s = 3600;
    request.node_count = 1;
    EXPECT_THAT(world_.controller().createReservation(request)->reservation.nodes, ElementsAre("node2"));
    request.wanted.name = "another";
    EXPECT_EQ(world_.controller().createReservation(request).status().code(), absl::StatusCode::kResourceExhausted);
    world_.restart();
    EXPECT_EQ(world_.controller().reservations().size(), 1U);
    world_.pass(hours(1));
    world_.controller().tick();
    EXPECT_THAT(world_.controller().reservations(), IsEmpty()) << "it is over, and nothing is on it";
}

TEST_F(CapacityTest, ALoanMovesTheGuaranteeAndComesBack) {
    ASSERT_EQ(create(slice("web", {"node1", "node2"}, 1000)), absl::OkStatus());
    ASSERT_EQ(create(slice("batch", {"node1"}, 100)), absl::OkStatus());
    const auto loan = world_.controller().lend("web", "batch", 600, 3600);
    ASSERT_TRUE(loan.ok()) << loan.status();
    EXPECT_EQ(guaranteeOf({"web", 1}, "node1"), 400U);
    EXPECT_EQ(guaranteeOf({"web", 2}, "node2"), 1000U) << "nobody there has any use for it";
    EXPECT_EQ(guaranteeOf({"batch", 1}, "node1"), 700U);
    world_.restart();
    world_.settle();
    EXPECT_EQ(guaranteeOf({"batch", 1}, "node1"), 700U);
    world_.passWithout({}, std::chrono::seconds(3601));
    EXPECT_EQ(guaranteeOf({"web", 1}, "node1"), 1000U) << "its time is over";
    EXPECT_EQ(guaranteeOf({"batch", 1}, "node1"), 100U);
    EXPECT_THAT(world_.controller().loans(), IsEmpty());
    EXPECT_THAT(world_.controller().auditLog(1)->front().what, "LoanOver");
}

TEST_F(CapacityTest, ALoanThatIsTooMuchIsRefusedByNumbers) {
    ASSERT_EQ(create(slice("web", {"node1"}, 1000)), absl::OkStatus());
    ASSERT_EQ(create(slice("batch", {"node1"}, 0)), absl::OkStatus());
    ASSERT_EQ(create(slice("far", {"node2"}, 0)), absl::OkStatus());
    CreateSliceRequest capped = slice("capped", {"node1"}, 0);
    capped.base.resources.cpu_millis = 300;
    ASSERT_EQ(create(capped), absl::OkStatus());
    ASSERT_TRUE(world_.controller().lend("web", "batch", 700, 3600).ok());
    const auto lend = [this](const std::string& to, uint32_t cpu_millis, uint32_t seconds = 3600) {
        return text(world_.controller().lend("web", to, cpu_millis, seconds).status());
    };
    EXPECT_THAT(lend("capped", 301), HasSubstr("it has 300m left, not 301m"));
    EXPECT_THAT(lend("batch", 1), HasSubstr("lends to 'batch' already"));
    EXPECT_THAT(lend("far", 100), HasSubstr("has no sliver on a node of slice 'web'"));
    EXPECT_THAT(lend("web", 100), HasSubstr("cannot lend to itself"));
    EXPECT_THAT(lend("none", 100), HasSubstr("no slice 'none'"));
    EXPECT_THAT(lend("capped", 100, 48 * 3600), HasSubstr("before the loan would: renew it first"));
    EXPECT_THAT(lend("capped", 0), HasSubstr("is not valid"));
    const auto relend = world_.controller().lend("batch", "capped", 100, 3600);
    EXPECT_THAT(text(relend.status()), HasSubstr("guaranteed 0m CPU")) << "what is borrowed is not one's own";
    SliceChange shrink;
    shrink.resources = [](const Resources& now) {
        Resources next = now;
        next.cpu_reservation_millis = 600;
        return absl::StatusOr<Resources>(next);
    };
    EXPECT_THAT(text(world_.controller().setSlice("web", shrink, "").status()), HasSubstr("lends 700m of it"));
    EXPECT_TRUE(world_.controller().endLoan("web", "batch").ok());
    EXPECT_TRUE(world_.controller().setSlice("web", shrink, "").ok());
    EXPECT_EQ(world_.controller().endLoan("web", "batch").code(), absl::StatusCode::kNotFound);
}

TEST_F(CapacityTest, ALoanIsNeverMoreThanWhatWasGivenUpOnTheNode) {
    ASSERT_EQ(create(slice("web", {"node1"}, 1000)), absl::OkStatus());
    CreateSliceRequest batch = slice("batch", {"node1"}, 0);
    batch.where.sliver_count = 2;
    ASSERT_EQ(create(batch), absl::OkStatus());
    const auto loan = world_.controller().lend("web", "batch", 600, 3600);
    ASSERT_TRUE(loan.ok()) << loan.status();
    EXPECT_THAT(loan->uncovered_nodes, ElementsAre("node1"));
    EXPECT_EQ(guaranteeOf({"batch", 1}, "node1") + guaranteeOf({"batch", 2}, "node1"), 600U);
    ASSERT_TRUE(world_.controller().moveSliver({"web", 1}, "node2", "").ok());
    world_.settle();
    EXPECT_EQ(guaranteeOf({"batch", 1}, "node1"), 0U) << "the lender has left the node";
    ASSERT_TRUE(world_.controller().deleteSlice("web", "").ok());
    EXPECT_THAT(world_.controller().loans(), IsEmpty());
}

TEST_F(CapacityTest, AnEndingLeaseIsAnEvent) {
    ASSERT_EQ(create(slice("web", {"node1"}, 0)), absl::OkStatus());
    ASSERT_TRUE(world_.controller().renewSlice("web", 48 * 3600).ok());
    world_.controller().tick();
    EXPECT_THAT(*world_.controller().auditLog(0), IsEmpty()) << "there is more than a day left";
    world_.pass(hours(25));
    world_.report("node1");
    world_.controller().tick();
    world_.controller().tick();
    const auto log = world_.controller().auditLog(0);
    ASSERT_EQ(log->size(), 1U) << "once";
    EXPECT_EQ(log->front().what, "LeaseEnding");
    EXPECT_EQ(log->front().subject, "web");
    EXPECT_EQ(log->front().who, "controller");
}

// What the controller does unasked is a change too.
TEST_F(CapacityTest, WhatTheEndOfALeaseChangesIsInTheAuditLog) {
    ASSERT_EQ(create(slice("web", {"node1"}, 0)), absl::OkStatus());
    ASSERT_TRUE(reserve("nightly", {"node2"}, 500, hours(0), hours(2)).ok());
    for (int day = 0; day < 2; ++day) {
        world_.pass(hours(24));
        world_.report("node1");
        world_.controller().tick();
        world_.controller().tick();
    }
    const std::vector<AuditEntry> log = *world_.controller().auditLog(0);
    std::vector<std::string> events;
    for (const AuditEntry& entry : log) {
        EXPECT_EQ(entry.who, "controller");
        events.push_back(entry.what + " " + entry.subject);
    }
    EXPECT_THAT(events, ElementsAre("SuspendSlice web", "ReservationOver nightly", "DeleteSlice web"));
}

}  // namespace
}  // namespace homeslice::controller
