#include "controller/store/store_suite.h"

#include "spec/test_values.h"
#include "tests/support/privileges.h"

namespace homeslice::controller::testing_support {

void StoreSuite::SetUp() {
    if (GetParam().needs_root) HS_REQUIRE_ROOT();
    home_ = GetParam().make();
}

std::unique_ptr<DurableStore> StoreSuite::open() const {
    std::unique_ptr<DurableStore> store = home_->open();
    EXPECT_TRUE(store != nullptr);
    const auto loaded = store->load();
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    return store;
}

Slice testSlice(const std::string& name, uint32_t number) {
    Slice result;
    result.name = name;
    result.number = number;
    result.base = fullSpec().base;
    result.created_us = 1;
    result.lease_end_us = 2;
    result.suspended = true;
    result.rules.where = {*parseLabelTerm("rack!=r2"), *parseLabelTerm("ssd")};
    result.rules.spread_over = "rack";
    result.rules.pack = true;
    result.rules.apart_from = {"db"};
    result.owner = "alice";
    result.members = {"bob", "carol"};
    result.rules.on_node_loss = OnNodeLoss::stay;
    result.reservation = "nightly";
    return result;
}

Changes everything() {
    Changes changes;
    changes.home_prefix = "fd51:1ce::/48";
    changes.last_slice_number = 7;
    changes.put_nodes = {{"node1", Ipv6Address::parse("fd00::1").value(), 7401, "0.1", true, 8, uint64_t{1} << 36,
                          "6.1", "boot", 99, Labels{{"rack", "r1"}}, true, true}};
    changes.put_images = {{"busybox", "sha256:00", 4711, 5}};
    changes.put_slices = {testSlice("web", 7)};
    Sliver sliver;
    sliver.id = {"web", 65535};
    sliver.node = "node2";
    sliver.generation = 3;
    sliver.last_generation = 4;
    sliver.holders = {"node1", "node2"};
    sliver.move = {MovePhase::transferring, "node1", "node2", 2, 3, "op"};
    sliver.frozen = true;
    sliver.keys_mark = "digest@1";
    sliver.weight = 3;
    sliver.draining = true;
    sliver.placed_by = "op2";
    changes.put_slivers = {sliver};
    Operation operation;
    operation.id = "op";
    operation.kind = OperationKind::drainNode;
    operation.node = "node1";
    operation.subject = sliver.id;
    operation.state = OperationState::failed;
    operation.done = 1;
    operation.total = 2;
    operation.step = "step";
    operation.failures = {{sliver.id, "node2", "because"}};
    operation.started_us = 10;
    operation.ended_us = 11;
    operation.request_id = "request";
    changes.put_operations = {operation};
    changes.put_users = {{"alice",
                          UserRole::admin,
                          "enrolment",
                          12,
                          {"ssh-ed25519 AAAA alice@example"},
                          Quota{.slivers = 0, .cpu_millis = 1500, .memory_bytes = uint64_t{1} << 40}}};
    changes.put_enrolled_nodes = {{"node1", "enrolment", false, true}};
    changes.put_tokens = {{"digest", pki::Kind::user, "bob", 13}};
    changes.put_reservations = {{"nightly", "alice", {"node1", "node2"}, 1500, 20, 21}};
    changes.put_loans = {{"web", "db", 500, 22}};
    changes.audit = AuditEntry{14, "alice", "CreateSlice", "web", "ok"};
    return changes;
}

Changes large(uint32_t slivers) {
    Changes changes;
    changes.put_slices = {testSlice("large", 1)};
    for (uint32_t index = 1; index <= slivers; ++index) {
        Sliver sliver;
        sliver.id = {"large", index};
        sliver.node = "node" + std::to_string(index % 10);
        sliver.generation = index;
        changes.put_slivers.push_back(sliver);
    }
    changes.audit = AuditEntry{1, "alice", "CreateSlice", "large", "ok"};
    return changes;
}

TEST_P(StoreSuite, KeepsEverythingAcrossReopening) {
    Snapshot expected;
    applyTo(expected, everything());
    ASSERT_TRUE(open()->apply(everything()).ok());
    EXPECT_EQ(*open()->load(), expected);
}

TEST_P(StoreSuite, ReplacesAndErases) {
    const auto store = open();
    Snapshot expected;
    const auto both = [&](const Changes& changes) {
        applyTo(expected, changes);
        const absl::Status stored = store->apply(changes);
        ASSERT_TRUE(stored.ok()) << stored;
    };
    both(everything());
    Changes renewed;
    renewed.put_slices = {testSlice("web", 7)};
    renewed.put_slices[0].lease_end_us = 1000;
    renewed.put_slices[0].deleting = true;
    both(renewed);
    EXPECT_EQ(*store->load(), expected);
    Changes gone;
    gone.erase_images = {"busybox"};
    gone.erase_slices = {"web"};
    gone.erase_slivers = {{"web", 65535}};
    gone.erase_operations = {"op"};
    gone.erase_users = {"alice"};
    gone.erase_enrolled_nodes = {"node1"};
    gone.erase_tokens = {"digest"};
    gone.erase_reservations = {"nightly"};
    gone.erase_loans = {"web/db"};
    both(gone);
    EXPECT_EQ(*store->load(), expected);
    EXPECT_EQ(*open()->load(), expected);
    EXPECT_TRUE(expected.slivers.empty());
    EXPECT_TRUE(expected.users.empty());
    EXPECT_TRUE(expected.reservations.empty());
    EXPECT_TRUE(expected.loans.empty());
    EXPECT_EQ(expected.revision, 3U);
}

TEST_P(StoreSuite, WhatABatchPutsAndErasesIsGone) {
    const auto store = open();
    Changes changes = everything();
    changes.erase_operations = {"op"};
    ASSERT_TRUE(store->apply(changes).ok());
    EXPECT_TRUE(store->load()->operations.empty());
}

// Larger than one transaction of etcd's, in acts and in bytes.
TEST_P(StoreSuite, TakesALargeBatchWhole) {
    constexpr uint32_t kSlivers = 5000;
    Snapshot expected;
    {
        const auto store = open();
        for (const Changes& changes : {everything(), large(kSlivers)}) {
            applyTo(expected, changes);
            const absl::Status stored = store->apply(changes);
            ASSERT_TRUE(stored.ok()) << stored;
        }
    }
    const auto store = open();
    EXPECT_EQ(*store->load(), expected);
    EXPECT_EQ(store->audit(10)->size(), 2U);
    Changes gone;
    for (const auto& [id, sliver] : expected.slivers) gone.erase_slivers.push_back(id);
    ASSERT_TRUE(store->apply(gone).ok());
    EXPECT_TRUE(store->load()->slivers.empty());
}

TEST_P(StoreSuite, KeepsWhoAskedForWhatInOrder) {
    const auto store = open();
    ASSERT_TRUE(store->apply(everything()).ok());
    const uint64_t revision = store->load()->revision;
    const AuditEntry refused{15, "bob", "DeleteSlice", "web", "lacks a right"};
    ASSERT_TRUE(store->record(refused).ok());
    EXPECT_EQ(store->load()->revision, revision);
    EXPECT_EQ(*store->audit(10), (std::vector<AuditEntry>{*everything().audit, refused}));
    EXPECT_EQ(*store->audit(1), std::vector<AuditEntry>{refused});
    EXPECT_TRUE(store->audit(0)->empty());
}

TEST_P(StoreSuite, TakesOverAnothersContent) {
    const auto from = makeMemoryStore();
    for (const Changes& changes : {large(300), everything()}) ASSERT_TRUE(from->apply(changes).ok());
    auto store = open();
    Changes old;
    old.put_images = {{"old", "sha256:01", 1, 1}};
    old.audit = AuditEntry{1, "alice", "ImportImage", "old", "ok"};
    ASSERT_TRUE(store->apply(old).ok());
    const absl::Status replaced = store->replace(*from->load(), *from->audit(kAuditKept));
    ASSERT_TRUE(replaced.ok()) << replaced;
    EXPECT_EQ(*store->load(), *from->load());
    store.reset();
    store = open();
    EXPECT_EQ(*store->load(), *from->load());
    EXPECT_EQ(*store->audit(10), *from->audit(10));
    ASSERT_TRUE(store->apply(old).ok()) << "the store goes on";
    EXPECT_EQ(store->load()->revision, from->load()->revision + 1);
}

}  // namespace homeslice::controller::testing_support
