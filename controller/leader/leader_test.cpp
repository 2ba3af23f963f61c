#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "base/file.h"
#include "controller/leader/store_commands.h"
#include "controller/leader/store_location.h"
#include "controller/leader/store_options.h"

namespace homeslice::controller {
namespace {

TEST(StoreLocation, IsReadAndWritten) {
    for (const char* text : {"sqlite:/var/lib/x.db", "etcd:[fd00::1]:2379", "etcd:[fd00::1]:2379,b.example:2379"}) {
        const auto location = parseStoreLocation("--store", text);
        ASSERT_TRUE(location.ok()) << location.status();
        EXPECT_EQ(location->toString(), text);
    }
    EXPECT_EQ(parseStoreLocation("--store", "etcd:a:1,b:2")->endpoints, (std::vector<std::string>{"a:1", "b:2"}));
}

TEST(StoreLocation, RefusesWhatIsNone) {
    for (const char* text : {"", "x", "sqlite:", "etcd:", "etcd:,", "etcd:a", "etcd:a:1,b", "etcd:https://a:1",
                             "etcd:a:123456", "/var/lib/x.db"}) {
        const auto location = parseStoreLocation("--store", text);
        EXPECT_EQ(location.status().code(), absl::StatusCode::kInvalidArgument) << text;
        EXPECT_NE(location.status().ToString().find("--store"), std::string::npos);
    }
}

TEST(StoreOptions, AreCompleteForEtcd) {
    StoreOptions options;
    const StoreLocation location = *parseStoreLocation("--store", "etcd:a:1");
    EXPECT_NE(etcdConfigOf(options, location).status().ToString().find("--etcd-ca"), std::string::npos);
    options.etcd.authority = options.etcd.certificate = options.etcd.key = "/file";
    EXPECT_EQ(etcdConfigOf(options, location)->endpoints, location.endpoints);
    for (const char* bad : {"", "/", "homeslice", "/homeslice/"}) {
        options.etcd.prefix = bad;
        EXPECT_FALSE(etcdConfigOf(options, location).ok()) << bad;
    }
}

TEST(StoreOptions, OthersAreToldAnAddressThatLeadsHere) {
    StoreOptions options;
    EXPECT_EQ(*advertisedAddress(options, {"unix:/run/s", "[::]:7400", "[fd00::1]:7400"}), "[fd00::1]:7400");
    EXPECT_FALSE(advertisedAddress(options, {"unix:/run/s", "[::]:7400", "0.0.0.0:7400"}).ok());
    options.advertise = "a.example:7400";
    EXPECT_EQ(*advertisedAddress(options, {"[::]:7400"}), "a.example:7400");
}

class StoreCommandsTest : public ::testing::Test {
protected:
    void SetUp() override {
        directory_ = (std::filesystem::temp_directory_path() / "hst-commands-XXXXXX").string();
        ASSERT_NE(::mkdtemp(directory_.data()), nullptr);
        options_.state_directory = directory_ + "/state";
    }
    void TearDown() override { EXPECT_TRUE(removeTree(directory_).ok()); }

    std::string database() const { return options_.state_directory + "/controller.db"; }
    void addUser(const std::string& name) const {
        std::filesystem::create_directories(options_.state_directory);
        Changes changes;
        changes.put_users = {{name, UserRole::user, "", 1, {}}};
        ASSERT_TRUE(openSqliteStore(database()).value()->apply(changes).ok());
    }
    static size_t users(const std::string& database) { return openSqliteStore(database).value()->load()->users.size(); }

    std::string directory_;
    StoreOptions options_;
};

TEST_F(StoreCommandsTest, ARestoreBringsTheBackupBack) {
    addUser("alice");
    const std::string backup = directory_ + "/backup";
    const absl::Status backed_up = backUpStore(options_, backup);
    ASSERT_TRUE(backed_up.ok()) << backed_up;
    addUser("bob");
    EXPECT_EQ(users(database()), 2U);
    const absl::Status restored = restoreStore(options_, backup);
    ASSERT_TRUE(restored.ok()) << restored;
    EXPECT_EQ(users(database()), 1U);
}

TEST_F(StoreCommandsTest, NothingIsReplacedWhileSlicedRuns) {
    addUser("alice");
    const std::string backup = directory_ + "/backup";
    ASSERT_TRUE(backUpStore(options_, backup).ok());
    addUser("bob");
    const auto sliced = lockState(options_.state_directory);
    ASSERT_TRUE(sliced.ok());
    EXPECT_EQ(restoreStore(options_, backup).code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(migrateStore(options_, "sqlite:" + database(), "sqlite:" + directory_ + "/to/a.db").code(),
              absl::StatusCode::kFailedPrecondition);
    EXPECT_TRUE(backUpStore(options_, backup + "2").ok()) << "a backup needs no pause";
    EXPECT_EQ(users(database()), 2U);
}

TEST_F(StoreCommandsTest, WhatIsNoBackupReplacesNothing) {
    addUser("alice");
    ASSERT_TRUE(replaceFile(directory_ + "/rubbish", std::string(5000, 'x')).ok());
    EXPECT_FALSE(restoreStore(options_, directory_ + "/rubbish").ok());
    EXPECT_FALSE(restoreStore(options_, directory_ + "/nowhere").ok());
    EXPECT_EQ(users(database()), 1U);
}

TEST_F(StoreCommandsTest, MigratesIntoAnEmptyStoreOnly) {
    addUser("alice");
    const std::string to = directory_ + "/to/controller.db";
    const absl::Status migrated = migrateStore(options_, "sqlite:" + database(), "sqlite:" + to);
    ASSERT_TRUE(migrated.ok()) << migrated;
    EXPECT_EQ(users(to), 1U);
    addUser("bob");
    EXPECT_EQ(migrateStore(options_, "sqlite:" + database(), "sqlite:" + to).code(),
              absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(users(to), 1U);
    EXPECT_EQ(migrateStore(options_, "sqlite:/nowhere/x.db", "sqlite:" + to).code(), absl::StatusCode::kNotFound);
    EXPECT_EQ(migrateStore(options_, "sqlite:" + to, "sqlite:" + to).code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace homeslice::controller
