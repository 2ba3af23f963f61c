// The stores of one process: memory and SQLite.
#include "controller/store/store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <utility>

#include "base/file.h"
#include "base/status.h"
#include "controller/store/database.h"
#include "controller/store/store_suite.h"
#include "controller/store/test_directory.h"

namespace homeslice::controller::testing_support {
namespace {

class SqliteHome : public StoreHome {
public:
    std::unique_ptr<DurableStore> open() override { return openSqliteStore(directory_.file("state.db")).value(); }

private:
    TestDirectory directory_;
};

// Memory outlives nothing: every opening answers the same store.
class MemoryHome : public StoreHome {
public:
    std::unique_ptr<DurableStore> open() override { return std::make_unique<Shared>(*store_); }

private:
    class Shared : public DurableStore {
    public:
        explicit Shared(DurableStore& store) : store_(store) {}
        absl::StatusOr<Snapshot> load() override { return store_.load(); }
        absl::Status apply(const Changes& changes) override { return store_.apply(changes); }
        absl::Status record(const AuditEntry& entry) override { return store_.record(entry); }
        absl::StatusOr<std::vector<AuditEntry>> audit(uint32_t most) override { return store_.audit(most); }
        absl::Status replace(const Snapshot& snapshot, const std::vector<AuditEntry>& audit) override {
            return store_.replace(snapshot, audit);
        }

    private:
        DurableStore& store_;
    };

    std::unique_ptr<DurableStore> store_ = makeMemoryStore();
};

INSTANTIATE_TEST_SUITE_P(Local, StoreSuite,
                         ::testing::Values(StoreKind{"memory", [] { return std::make_unique<MemoryHome>(); }},
                                           StoreKind{"sqlite", [] { return std::make_unique<SqliteHome>(); }}),
                         kindName);

class SqliteStoreTest : public ::testing::Test {
protected:
    std::string path() const { return directory_.file("state.db"); }
    std::unique_ptr<DurableStore> open() const {
        auto store = openSqliteStore(path());
        EXPECT_TRUE(store.ok()) << store.status();
        return store.ok() ? std::move(store).value() : nullptr;
    }

private:
    TestDirectory directory_;
};

TEST_F(SqliteStoreTest, AFailedBatchLeavesNothingBehind) {
    const auto store = open();
    ASSERT_TRUE(store->apply(everything()).ok());
    const Snapshot before = *store->load();
    Changes conflicting;
    conflicting.last_slice_number = 8;
    conflicting.put_images = {{"debian", "sha256:01", 1, 1}};
    conflicting.put_slices = {testSlice("db", 7)};  // the number is taken
    EXPECT_FALSE(store->apply(conflicting).ok());
    EXPECT_EQ(*store->load(), before);
    EXPECT_TRUE(store->apply(Changes()).ok()) << "the store goes on";
}

TEST_F(SqliteStoreTest, IsPrivate) {
    open();
    struct stat info {};
    ASSERT_EQ(::stat(path().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600U);
}

TEST_F(SqliteStoreTest, SurvivesPowerLossBySettings) {
    auto database = Database::open(path()).value();
    const auto setting = [&](const std::string& name) {
        Statement row = database->prepare("PRAGMA " + name).value();
        EXPECT_TRUE(*row.step());
        return row.text();
    };
    EXPECT_EQ(setting("journal_mode"), "wal");
    EXPECT_EQ(setting("synchronous"), "2") << "FULL";
}

TEST_F(SqliteStoreTest, RefusesWhatIsNoDatabase) {
    ASSERT_TRUE(replaceFile(path(), std::string(8192, 'x')).ok());
    EXPECT_EQ(openSqliteStore(path()).status().code(), absl::StatusCode::kDataLoss);
}

TEST(FailingStore, Fails) {
    EXPECT_EQ(makeFailingStore()->load().status().code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(makeFailingStore()->apply(everything()).code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace homeslice::controller::testing_support
