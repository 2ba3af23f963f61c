#include "controller/store/backup.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "base/file.h"
#include "controller/store/database.h"
#include "controller/store/schema.h"
#include "controller/store/store_suite.h"
#include "controller/store/test_directory.h"

namespace homeslice::controller {
namespace {

using testing_support::everything;

class BackupTest : public ::testing::Test {
protected:
    std::string live() const { return directory_.file("controller.db"); }
    std::string copy() const { return directory_.file("backup"); }
    std::unique_ptr<DurableStore> open() const { return openSqliteStore(live()).value(); }

private:
    testing_support::TestDirectory directory_;
};

TEST_F(BackupTest, BringsBackWhatWasThen) {
    const auto store = open();
    ASSERT_TRUE(store->apply(everything()).ok());
    const Snapshot then = *store->load();
    const absl::Status backed_up = backUpSqlite(live(), copy());
    ASSERT_TRUE(backed_up.ok()) << backed_up;
    Changes later;
    later.erase_slices = {"web"};
    ASSERT_TRUE(store->apply(later).ok());
    const auto backup = readBackup(copy());
    ASSERT_TRUE(backup.ok()) << backup.status();
    EXPECT_EQ(backup->snapshot, then);
    EXPECT_EQ(backup->audit, std::vector<AuditEntry>{*everything().audit});
}

TEST_F(BackupTest, IsPrivateAndOneFileAndReplacesNone) {
    ASSERT_TRUE(open()->apply(everything()).ok());
    ASSERT_TRUE(backUpSqlite(live(), copy()).ok());
    struct stat info {};
    ASSERT_EQ(::stat(copy().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600U);
    for (const char* suffix : {"-wal", "-shm", "-journal", ".part"}) {
        EXPECT_FALSE(std::filesystem::exists(copy() + suffix)) << suffix;
    }
    EXPECT_EQ(backUpSqlite(live(), copy()).code(), absl::StatusCode::kAlreadyExists);
}

TEST_F(BackupTest, IsOfOneMomentWhileTheStoreIsWritten) {
    const auto store = open();
    std::atomic<bool> stop = false;
    std::thread writer([&] {
        // Slice and sliver come together, always.
        for (uint32_t i = 1; !stop; ++i) {
            Changes changes;
            changes.put_slices = {testing_support::testSlice("s" + std::to_string(i), i)};
            changes.put_slivers.emplace_back().id = {"s" + std::to_string(i), 1};
            EXPECT_TRUE(store->apply(changes).ok());
        }
    });
    constexpr int kBackups = 10;
    for (int i = 0; i < kBackups; ++i) {
        const std::string path = copy() + std::to_string(i);
        const absl::Status backed_up = backUpSqlite(live(), path);
        EXPECT_TRUE(backed_up.ok()) << backed_up;
        const auto backup = readBackup(path);
        EXPECT_TRUE(backup.ok()) << backup.status();
        if (!backup.ok()) continue;
        EXPECT_EQ(backup->snapshot.slices.size(), backup->snapshot.slivers.size());
        EXPECT_EQ(backup->snapshot.revision, backup->snapshot.slices.size());
    }
    stop = true;
    writer.join();
}

TEST_F(BackupTest, OfAnOlderVersionStaysOneAndCanBeRead) {
    {
        auto database = Database::open(live()).value();
        ASSERT_TRUE(createAsOfVersion(*database, 1).ok());
        ASSERT_TRUE(database->execute("INSERT INTO images VALUES ('busybox', 'sha256:00', 1, 2)").ok());
    }
    ASSERT_TRUE(backUpSqlite(live(), copy()).ok());
    const auto before = readFile(copy());
    EXPECT_EQ(readBackup(copy())->snapshot.images.count("busybox"), 1U);
    EXPECT_EQ(*readFile(copy()), *before) << "reading changes nothing";
}

TEST_F(BackupTest, OfAnyStore) {
    const auto memory = makeMemoryStore();
    ASSERT_TRUE(memory->apply(everything()).ok());
    const absl::Status backed_up = backUp(*memory, copy());
    ASSERT_TRUE(backed_up.ok()) << backed_up;
    EXPECT_EQ(readBackup(copy())->snapshot, *memory->load());
    EXPECT_EQ(readBackup(copy())->audit, *memory->audit(10));
}

TEST_F(BackupTest, RefusesWhatIsNone) {
    EXPECT_EQ(readBackup(copy()).status().code(), absl::StatusCode::kNotFound);
    ASSERT_TRUE(replaceFile(copy(), std::string(8192, 'x')).ok());
    EXPECT_EQ(readBackup(copy()).status().code(), absl::StatusCode::kDataLoss);
    EXPECT_EQ(backUpSqlite(live(), copy() + "2").code(), absl::StatusCode::kNotFound);
    EXPECT_FALSE(std::filesystem::exists(copy() + "2"));
}

// What was given out after the backup must not be given out again.
TEST_F(BackupTest, SkipsWhatMayHaveHappenedSince) {
    Snapshot snapshot;
    applyTo(snapshot, everything());
    const Snapshot then = snapshot;
    skipLostTime(snapshot);
    EXPECT_GT(snapshot.revision, then.revision + 1'000'000);
    EXPECT_TRUE(snapshot.tokens.empty()) << "a token that was used would be good again";
    const Sliver& sliver = snapshot.slivers.begin()->second;
    EXPECT_EQ(sliver.generation, then.slivers.begin()->second.generation) << "nothing is started anew";
    EXPECT_GT(sliver.last_generation, then.slivers.begin()->second.last_generation + 100);
}

}  // namespace
}  // namespace homeslice::controller
