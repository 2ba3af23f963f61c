#include "controller/store/store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

#include "base/file.h"
#include "base/status.h"
#include "controller/store/database.h"
#include "controller/store/schema.h"
#include "spec/test_values.h"

namespace homeslice::controller {
namespace {

class StoreTest : public ::testing::Test {
protected:
    void SetUp() override {
        std::string directory = (std::filesystem::temp_directory_path() / "hst-store-XXXXXX").string();
        ASSERT_NE(::mkdtemp(directory.data()), nullptr);
        directory_ = directory;
    }
    void TearDown() override { EXPECT_TRUE(removeTree(directory_).ok()); }

    std::string path() const { return directory_ + "/state.db"; }
    std::unique_ptr<Store> open() const {
        auto store = openSqliteStore(path());
        EXPECT_TRUE(store.ok()) << store.status();
        return store.ok() ? std::move(store).value() : nullptr;
    }

private:
    std::string directory_;
};

Slice slice(const std::string& name, uint32_t number) {
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

// One of everything, every field other than its default.
Changes everything() {
    Changes changes;
    changes.home_prefix = "fd51:1ce::/48";
    changes.last_slice_number = 7;
    changes.put_nodes = {{"node1", Ipv6Address::parse("fd00::1").value(), 7401, "0.1", true, 8, uint64_t{1} << 36,
                          "6.1", "boot", 99, Labels{{"rack", "r1"}}, true, true}};
    changes.put_images = {{"busybox", "sha256:00", 4711, 5}};
    changes.put_slices = {slice("web", 7)};
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
    changes.put_enrolled_nodes = {{"node1", "enrolment"}};
    changes.put_tokens = {{"digest", pki::Kind::user, "bob", 13}};
    changes.put_reservations = {{"nightly", "alice", {"node1", "node2"}, 1500, 20, 21}};
    changes.put_loans = {{"web", "db", 500, 22}};
    changes.audit = AuditEntry{14, "alice", "CreateSlice", "web", "ok"};
    return changes;
}

TEST_F(StoreTest, KeepsEverythingAcrossReopening) {
    Snapshot expected;
    applyTo(expected, everything());
    ASSERT_TRUE(open()->apply(everything()).ok());
    EXPECT_EQ(*open()->load(), expected);
}

TEST_F(StoreTest, ReplacesAndErases) {
    const auto store = open();
    Snapshot expected;
    const auto both = [&](const Changes& changes) {
        applyTo(expected, changes);
        ASSERT_TRUE(store->apply(changes).ok());
    };
    both(everything());
    Changes renewed;
    renewed.put_slices = {slice("web", 7)};
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
    EXPECT_TRUE(expected.slivers.empty());
    EXPECT_TRUE(expected.users.empty());
    EXPECT_TRUE(expected.reservations.empty());
    EXPECT_TRUE(expected.loans.empty());
    EXPECT_EQ(expected.revision, 3U);
}

TEST_F(StoreTest, AFailedBatchLeavesNothingBehind) {
    const auto store = open();
    ASSERT_TRUE(store->apply(everything()).ok());
    const Snapshot before = *store->load();
    Changes conflicting;
    conflicting.last_slice_number = 8;
    conflicting.put_images = {{"debian", "sha256:01", 1, 1}};
    conflicting.put_slices = {slice("db", 7)};  // the number is taken
    EXPECT_FALSE(store->apply(conflicting).ok());
    EXPECT_EQ(*store->load(), before);
    EXPECT_TRUE(store->apply(Changes()).ok()) << "the store goes on";
}

TEST_F(StoreTest, KeepsWhoAskedForWhatInOrder) {
    for (const auto& store : {open(), makeMemoryStore()}) {
        ASSERT_TRUE(store->apply(everything()).ok());
        const uint64_t revision = store->load()->revision;
        const AuditEntry refused{15, "bob", "DeleteSlice", "web", "lacks a right"};
        ASSERT_TRUE(store->record(refused).ok());
        EXPECT_EQ(store->load()->revision, revision);
        EXPECT_EQ(*store->audit(10), (std::vector<AuditEntry>{*everything().audit, refused}));
        EXPECT_EQ(*store->audit(1), std::vector<AuditEntry>{refused});
    }
}

TEST_F(StoreTest, IsPrivate) {
    open();
    struct stat info {};
    ASSERT_EQ(::stat(path().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600U);
}

TEST_F(StoreTest, MigratesOnceAndRefusesNewerFiles) {
    {
        auto database = Database::open(path());
        ASSERT_TRUE(database.ok());
        EXPECT_TRUE(migrate(**database).ok());
        EXPECT_TRUE(migrate(**database).ok());
        ASSERT_TRUE((*database)->execute("PRAGMA user_version=1000").ok());
    }
    EXPECT_EQ(openSqliteStore(path()).status().code(), absl::StatusCode::kFailedPrecondition);
}

// A file as version 1 left it: its tables, and a row of each that has changed since.
constexpr const char* kVersion1 = R"sql(
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE nodes (name TEXT PRIMARY KEY, care_of_address TEXT NOT NULL, api_port INTEGER NOT NULL,
        version TEXT NOT NULL, home_agent INTEGER NOT NULL, cpus INTEGER NOT NULL, memory_bytes INTEGER NOT NULL,
        kernel TEXT NOT NULL, boot_id TEXT NOT NULL, last_seen_us INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE images (name TEXT PRIMARY KEY, digest TEXT NOT NULL, size_bytes INTEGER NOT NULL,
        created_us INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE slices (name TEXT PRIMARY KEY, number INTEGER NOT NULL UNIQUE, image TEXT NOT NULL,
        image_digest TEXT NOT NULL, cpu_millis INTEGER NOT NULL, memory_bytes INTEGER NOT NULL, pids INTEGER NOT NULL,
        exposed TEXT NOT NULL, argv TEXT NOT NULL, created_us INTEGER NOT NULL, lease_end_us INTEGER NOT NULL,
        deleting INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE slivers (slice TEXT NOT NULL, number INTEGER NOT NULL, node TEXT NOT NULL, generation INTEGER NOT NULL,
        last_generation INTEGER NOT NULL, holders TEXT NOT NULL, move_phase TEXT NOT NULL, move_source TEXT NOT NULL,
        move_target TEXT NOT NULL, move_source_generation INTEGER NOT NULL, move_target_generation INTEGER NOT NULL,
        move_operation TEXT NOT NULL, PRIMARY KEY (slice, number)) WITHOUT ROWID;
    CREATE TABLE operations (id TEXT PRIMARY KEY, kind INTEGER NOT NULL, slice TEXT NOT NULL, number INTEGER NOT NULL,
        state INTEGER NOT NULL, done INTEGER NOT NULL, total INTEGER NOT NULL, step TEXT NOT NULL,
        failures TEXT NOT NULL, started_us INTEGER NOT NULL, ended_us INTEGER NOT NULL,
        request_id TEXT NOT NULL) WITHOUT ROWID;
    INSERT INTO slices VALUES ('web', 7, 'busybox', 'sha256:00', 1500, 1125899906842624, 100,
        '[{"port":80,"protocol":6},{"port":53,"protocol":17}]', '["sh","-c","echo \"it''s\"\n"]', 1, 2, 1);
    INSERT INTO slices VALUES ('bare', 8, 'busybox', 'sha256:00', 0, 0, 0, '[]', '[]', 3, 4, 0);
    INSERT INTO slivers VALUES ('web', 2, 'node1', 3, 4, '["node1"]', 'none', '', '', 0, 0, '');
    PRAGMA user_version=1;
)sql";

TEST_F(StoreTest, TakesOverAFileOfVersion1) {
    ASSERT_TRUE(Database::open(path()).value()->execute(kVersion1).ok());
    Slice web;
    web.name = "web";
    web.number = 7;
    web.base.image = "busybox";
    web.base.image_digest = "sha256:00";
    web.base.argv = {"sh", "-c", "echo \"it's\"\n"};
    web.base.resources = {.cpu_millis = 1500, .memory_bytes = uint64_t{1} << 50, .pids = 100};
    web.base.exposed = {{.protocol = IPPROTO_TCP, .port = 80}, {.protocol = IPPROTO_UDP, .port = 53}};
    web.created_us = 1;
    web.lease_end_us = 2;
    web.deleting = true;
    const auto snapshot = open()->load();
    ASSERT_TRUE(snapshot.ok()) << snapshot.status();
    ASSERT_EQ(snapshot->slices.size(), 2U);
    EXPECT_EQ(snapshot->slices.at("web"), web);
    EXPECT_EQ(snapshot->slices.at("bare").base.image, "busybox");
    EXPECT_EQ(snapshot->slices.at("bare").base.resources, Resources());
    EXPECT_EQ(snapshot->slivers.at({"web", 2}).generation, 3U);
    EXPECT_FALSE(snapshot->slivers.at({"web", 2}).frozen);
    EXPECT_TRUE(snapshot->slices.at("web").owner.empty());
    EXPECT_TRUE(snapshot->users.empty());
}

TEST_F(StoreTest, AFailedMigrationChangesNothing) {
    auto database = Database::open(path());
    ASSERT_TRUE(database.ok());
    ASSERT_TRUE((*database)->execute("CREATE TABLE slices (x INTEGER)").ok());
    EXPECT_FALSE(migrate(**database).ok());
    EXPECT_FALSE((*database)->execute("SELECT * FROM nodes").ok());
    EXPECT_TRUE((*database)->execute("DROP TABLE slices").ok());
    EXPECT_TRUE(migrate(**database).ok());
}

TEST_F(StoreTest, RefusesWhatIsNoDatabase) {
    ASSERT_TRUE(replaceFile(path(), std::string(8192, 'x')).ok());
    EXPECT_EQ(openSqliteStore(path()).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(StoreTest, MemoryDoesTheSame) {
    const auto store = makeMemoryStore();
    ASSERT_TRUE(store->apply(everything()).ok());
    Snapshot expected;
    applyTo(expected, everything());
    EXPECT_EQ(*store->load(), expected);
}

TEST_F(StoreTest, TheFailingOneFails) {
    EXPECT_EQ(makeFailingStore()->load().status().code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(makeFailingStore()->apply(everything()).code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace homeslice::controller
