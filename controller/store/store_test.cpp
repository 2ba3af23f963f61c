#include "controller/store/store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

#include "base/file.h"
#include "base/status.h"
#include "controller/store/database.h"
#include "controller/store/schema.h"

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
    result.image = "busybox";
    result.image_digest = "sha256:00";
    result.resources = {1500, uint64_t{1} << 40, 100};
    result.exposed = {{6, 80}, {17, 53}};
    result.argv = {"sh", "-c", "echo \"it's\"\n"};
    result.created_us = 1;
    result.lease_end_us = 2;
    return result;
}

// One of everything, every field other than its default.
Changes everything() {
    Changes changes;
    changes.home_prefix = "fd51:1ce::/48";
    changes.last_slice_number = 7;
    changes.put_nodes = {
        {"node1", Ipv6Address::parse("fd00::1").value(), 7401, "0.1", true, 8, uint64_t{1} << 36, "6.1", "boot", 99}};
    changes.put_images = {{"busybox", "sha256:00", 4711, 5}};
    changes.put_slices = {slice("web", 7)};
    Sliver sliver;
    sliver.id = {"web", 65535};
    sliver.node = "node2";
    sliver.generation = 3;
    sliver.last_generation = 4;
    sliver.holders = {"node1", "node2"};
    sliver.move = {MovePhase::transferring, "node1", "node2", 2, 3, "op"};
    changes.put_slivers = {sliver};
    Operation operation;
    operation.id = "op";
    operation.kind = OperationKind::moveSliver;
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
    both(gone);
    EXPECT_EQ(*store->load(), expected);
    EXPECT_TRUE(expected.slivers.empty());
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
