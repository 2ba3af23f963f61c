// What holds for every store that works, and for the one that never does.
#include "noded/store/key_value_store.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "base/file.h"

namespace homeslice::store {
namespace {

using Records = std::map<std::string, std::string>;

class WorkingStore : public testing::TestWithParam<bool> {
protected:
    void SetUp() override {
        char name[] = "/tmp/hst-store-XXXXXX";
        ASSERT_NE(::mkdtemp(name), nullptr);
        directory_ = name;
        if (!GetParam()) {
            store_ = makeMemoryStore();
            return;
        }
        auto opened = openSqliteStore(directory_ + "/noded.db");
        ASSERT_TRUE(opened.ok()) << opened.status();
        store_ = std::move(*opened);
    }
    void TearDown() override {
        store_.reset();
        EXPECT_TRUE(removeTree(directory_).ok());
    }

    std::string directory_;
    std::unique_ptr<KeyValueStore> store_;
};

TEST_P(WorkingStore, KeepsWhatWasPutLast) {
    ASSERT_TRUE(store_->put("slivers", "web/1", "old").ok());
    ASSERT_TRUE(store_->put("slivers", "web/1", "new").ok());
    EXPECT_EQ(store_->list("slivers").value(), (Records{{"web/1", "new"}}));
}

TEST_P(WorkingStore, KeepsTablesApart) {
    ASSERT_TRUE(store_->put("slivers", "k", "1").ok());
    ASSERT_TRUE(store_->put("images", "k", "2").ok());
    EXPECT_EQ(store_->list("slivers").value(), (Records{{"k", "1"}}));
    EXPECT_EQ(store_->list("nothing").value(), Records{});
}

TEST_P(WorkingStore, ErasingTwiceIsFine) {
    ASSERT_TRUE(store_->put("slivers", "k", "1").ok());
    EXPECT_TRUE(store_->erase("slivers", "k").ok());
    EXPECT_TRUE(store_->erase("slivers", "k").ok());
    EXPECT_EQ(store_->list("slivers").value(), Records{});
}

TEST_P(WorkingStore, KeepsAnyBytes) {
    const std::string value("quote ' zero \0 high \xff", 21);
    ASSERT_TRUE(store_->put("slivers", "k'; DROP TABLE records; --", value).ok());
    EXPECT_EQ(store_->list("slivers").value(), (Records{{"k'; DROP TABLE records; --", value}}));
}

TEST_P(WorkingStore, SyncsWhatWasPut) {
    ASSERT_TRUE(store_->put("slivers", "web/1", "{}").ok());
    EXPECT_TRUE(store_->sync().ok());
}

INSTANTIATE_TEST_SUITE_P(Implementations, WorkingStore, testing::Bool(),
                         [](const auto& each) { return each.param ? "Sqlite" : "Memory"; });

TEST(FailingStore, FailsEveryCall) {
    const auto store = makeFailingStore();
    EXPECT_EQ(store->put("t", "k", "v").code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(store->erase("t", "k").code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(store->list("t").status().code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(store->sync().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace homeslice::store
