// Files that earlier versions wrote.
#include "controller/store/schema.h"

#include <gtest/gtest.h>

#include <map>
#include <utility>

#include "controller/store/database.h"
#include "controller/store/store.h"
#include "controller/store/test_directory.h"

namespace homeslice::controller {
namespace {

class SchemaTest : public ::testing::Test {
protected:
    std::string path() const { return directory_.file("state.db"); }

private:
    testing_support::TestDirectory directory_;
};

TEST_F(SchemaTest, MigratesOnceAndRefusesNewerFiles) {
    {
        auto database = Database::open(path());
        ASSERT_TRUE(database.ok());
        EXPECT_TRUE(migrate(**database).ok());
        EXPECT_TRUE(migrate(**database).ok());
        ASSERT_TRUE((*database)->execute("PRAGMA user_version=1000").ok());
    }
    EXPECT_EQ(openSqliteStore(path()).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(SchemaTest, AFailedMigrationChangesNothing) {
    auto database = Database::open(path());
    ASSERT_TRUE(database.ok());
    ASSERT_TRUE((*database)->execute("CREATE TABLE slices (x INTEGER)").ok());
    EXPECT_FALSE(migrate(**database).ok());
    EXPECT_FALSE((*database)->execute("SELECT * FROM nodes").ok());
    EXPECT_TRUE((*database)->execute("DROP TABLE slices").ok());
    EXPECT_TRUE(migrate(**database).ok());
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

TEST_F(SchemaTest, TakesOverAFileOfVersion1) {
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
    const auto snapshot = openSqliteStore(path()).value()->load();
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

// A row of each table, for whichever columns a version has. A column that is missing here takes its default.
using Values = std::map<std::string, std::string>;
const std::map<std::string, Values>& rowOfEachTable() {
    static const std::map<std::string, Values> kRows{
        {"nodes",
         {{"name", "'node1'"},
          {"care_of_address", "'fd00::1'"},
          {"api_port", "7401"},
          {"version", "'0.1'"},
          {"home_agent", "0"},
          {"cpus", "8"},
          {"memory_bytes", "9"},
          {"kernel", "'6.1'"},
          {"boot_id", "'boot'"},
          {"last_seen_us", "99"}}},
        {"images", {{"name", "'busybox'"}, {"digest", "'sha256:00'"}, {"size_bytes", "4711"}, {"created_us", "5"}}},
        {"slices",
         {{"name", "'web'"},
          {"number", "7"},
          {"image", "'busybox'"},
          {"image_digest", "'sha256:00'"},
          {"cpu_millis", "0"},
          {"memory_bytes", "0"},
          {"pids", "0"},
          {"exposed", "'[]'"},
          {"argv", "'[]'"},
          {"template", "'{\"image\":\"busybox\",\"image_digest\":\"sha256:00\"}'"},
          {"created_us", "1"},
          {"lease_end_us", "2"},
          {"deleting", "0"}}},
        {"slivers",
         {{"slice", "'web'"},
          {"number", "2"},
          {"node", "'node1'"},
          {"generation", "3"},
          {"last_generation", "4"},
          {"holders", "'[\"node1\"]'"},
          {"move_phase", "'none'"},
          {"move_source", "''"},
          {"move_target", "''"},
          {"move_source_generation", "0"},
          {"move_target_generation", "0"},
          {"move_operation", "''"}}},
        {"operations",
         {{"id", "'op'"},
          {"kind", "0"},
          {"slice", "'web'"},
          {"number", "0"},
          {"state", "1"},
          {"done", "1"},
          {"total", "1"},
          {"step", "'step'"},
          {"failures", "'[]'"},
          {"started_us", "10"},
          {"ended_us", "11"},
          {"request_id", "'request'"}}},
        {"users",
         {{"name", "'alice'"}, {"role", "1"}, {"enrolment", "'e'"}, {"created_us", "12"}, {"ssh_keys", "'[]'"}}},
        {"enrolled_nodes", {{"name", "'node1'"}, {"enrolment", "'n'"}}},
        {"tokens", {{"digest", "'digest'"}, {"kind", "0"}, {"name", "'node2'"}, {"expires_us", "13"}}},
        {"meta", {{"key", "'revision'"}, {"value", "'41'"}}}};
    return kRows;
}

std::vector<std::string> textsOf(Database& database, const std::string& question) {
    std::vector<std::string> texts;
    auto rows = database.prepare(question);
    EXPECT_TRUE(rows.ok()) << rows.status();
    while (rows.ok() && *rows->step()) texts.push_back(rows->text());
    return texts;
}

void fill(Database& database) {
    for (const auto& [table, values] : rowOfEachTable()) {
        std::string names;
        std::string literals;
        for (const std::string& column : textsOf(database, "SELECT name FROM pragma_table_info('" + table + "')")) {
            const auto value = values.find(column);
            if (value == values.end()) continue;
            names += (names.empty() ? "" : ",") + column;
            literals += (literals.empty() ? "" : ",") + value->second;
        }
        if (names.empty()) continue;  // of a later version
        const absl::Status filled =
            database.execute("INSERT INTO " + table + " (" + names + ") VALUES (" + literals + ")");
        ASSERT_TRUE(filled.ok()) << filled;
    }
}

class EachVersion : public SchemaTest, public ::testing::WithParamInterface<int64_t> {};

TEST_P(EachVersion, OpensAndHasItsContent) {
    const int64_t version = GetParam();
    constexpr int64_t kPeopleSince = 4;
    {
        auto database = Database::open(path()).value();
        ASSERT_TRUE(createAsOfVersion(*database, version).ok());
        fill(*database);
    }
    const auto snapshot = openSqliteStore(path()).value()->load();
    ASSERT_TRUE(snapshot.ok()) << snapshot.status();
    EXPECT_EQ(snapshot->revision, 41U);
    EXPECT_EQ(snapshot->nodes.at("node1").boot_id, "boot");
    EXPECT_EQ(snapshot->images.at("busybox").size_bytes, 4711U);
    EXPECT_EQ(snapshot->slices.at("web").base.image_digest, "sha256:00");
    EXPECT_EQ(snapshot->slices.at("web").lease_end_us, 2);
    EXPECT_EQ(snapshot->slivers.at({"web", 2}).last_generation, 4U);
    EXPECT_EQ(snapshot->slivers.at({"web", 2}).holders, std::set<std::string>{"node1"});
    EXPECT_EQ(snapshot->slivers.at({"web", 2}).weight, kDefaultWeight);
    EXPECT_EQ(snapshot->operations.at("op").request_id, "request");
    EXPECT_EQ(snapshot->users.contains("alice"), version >= kPeopleSince);
    EXPECT_EQ(snapshot->tokens.contains("digest"), version >= kPeopleSince);
    if (version < kPeopleSince) return;
    EXPECT_EQ(snapshot->enrolled_nodes.at("node1").home_agent, snapshot->nodes.at("node1").home_agent);
    EXPECT_FALSE(snapshot->tokens.at("digest").home_agent);
}

INSTANTIATE_TEST_SUITE_P(All, EachVersion, ::testing::Range(int64_t{1}, presentVersion() + 1));

}  // namespace
}  // namespace homeslice::controller
