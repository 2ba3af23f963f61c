#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/file.h"
#include "noded/store/key_value_store.h"
#include "noded/store/sqlite.h"

namespace homeslice::store {
namespace {

class SqliteStoreTest : public testing::Test {
protected:
    void SetUp() override {
        char name[] = "/tmp/hst-store-XXXXXX";
        ASSERT_NE(::mkdtemp(name), nullptr);
        directory_ = name;
        path_ = directory_ + "/noded.db";
    }
    void TearDown() override { EXPECT_TRUE(removeTree(directory_).ok()); }

    std::string directory_;
    std::string path_;
};

TEST_F(SqliteStoreTest, SurvivesReopening) {
    ASSERT_TRUE(openSqliteStore(path_).value()->put("slivers", "web/1", "{}").ok());
    EXPECT_EQ(openSqliteStore(path_).value()->list("slivers")->at("web/1"), "{}");
}

TEST_F(SqliteStoreTest, IsReadableByItsOwnerOnly) {
    const auto store = openSqliteStore(path_);
    ASSERT_TRUE(store.ok());
    ASSERT_TRUE((*store)->put("t", "k", "v").ok());
    for (const char* suffix : {"", "-wal", "-shm"}) {
        struct stat info {};
        ASSERT_EQ(::stat((path_ + suffix).c_str(), &info), 0) << suffix;
        EXPECT_EQ(info.st_mode & 0777, 0600U) << suffix;
    }
}

TEST_F(SqliteStoreTest, RefusesANewerSchema) {
    ASSERT_TRUE(openSqliteStore(path_).ok());
    ASSERT_TRUE(Database::open(path_).value().run("PRAGMA user_version = 1000").ok());
    EXPECT_EQ(openSqliteStore(path_).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(SqliteStoreTest, SaysWhenTheFileIsNoDatabase) {
    ASSERT_TRUE(replaceFile(path_, std::string(8192, 'x')).ok());
    EXPECT_EQ(openSqliteStore(path_).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(SqliteStoreTest, SaysWhenTheDirectoryIsMissing) {
    EXPECT_EQ(openSqliteStore(directory_ + "/none/noded.db").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace homeslice::store
