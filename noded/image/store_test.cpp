#include "noded/image/store.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <future>
#include <thread>
#include <vector>

#include "base/file.h"
#include "base/status.h"
#include "oci/tar_maker.h"
#include "oci/test_directory.h"
#include "tests/support/privileges.h"

namespace homeslice::image {
namespace {

using testing_support::contentOf;
using testing_support::TarMaker;
using testing_support::TestDirectory;

constexpr char kOther[] = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

class StoreTest : public testing::Test {
protected:
    void SetUp() override {
        HS_REQUIRE_ROOT();
        digest_ = makeImage("one");
        reopen();
    }

    // An image with the file /name; returns its digest. archive_ is the last one made.
    std::string makeImage(const std::string& name) {
        { TarMaker(dir_ / "layer.tar").file(name, "content"); }
        archive_ = dir_ / (name + ".tar");
        EXPECT_TRUE(writeOciArchive(dir_ / "layer.tar", config_, archive_).ok());
        return digestOf(archive_).value();
    }

    void reopen() {
        auto store = Store::open(dir_ / "store");
        ASSERT_TRUE(store.ok()) << store.status();
        store_ = std::move(*store);
    }

    Fetch from(const std::string& archive) {
        return [this, archive](const std::string&, int fd) {
            ++fetches_;
            return writeAll(fd, readFile(archive).value());
        };
    }

    bool isUntouched() const {
        return std::filesystem::is_empty(dir_ / "store/images") && std::filesystem::is_empty(dir_ / "store/incoming");
    }

    TestDirectory dir_;
    const ImageConfig config_{{"/bin/sh", "-c", "exit 3"}, {"A=b"}, "/srv", "33:33"};
    std::string archive_;
    std::string digest_;
    std::unique_ptr<Store> store_;
    std::atomic<int> fetches_ = 0;
};

TEST_F(StoreTest, EnsuresOnceAndRemembers) {
    EXPECT_FALSE(store_->has(digest_));
    EXPECT_EQ(store_->get(digest_).status().code(), absl::StatusCode::kNotFound);
    const auto image = store_->ensure(digest_, from(archive_));
    ASSERT_TRUE(image.ok()) << image.status();
    EXPECT_EQ(image->config, config_);
    EXPECT_EQ(contentOf(image->rootfs + "/one"), "content");
    EXPECT_TRUE(std::filesystem::is_empty(dir_ / "store/incoming"));
    reopen();
    EXPECT_TRUE(store_->has(digest_));
    const auto again = store_->ensure(digest_, from(archive_));
    ASSERT_TRUE(again.ok());
    EXPECT_EQ(again->config, config_);
    EXPECT_EQ(again->digest, digest_);
    EXPECT_EQ(fetches_, 1);
}

TEST_F(StoreTest, ConcurrentCallersShareOneFetch) {
    std::promise<void> go;
    const std::shared_future<void> may_go = go.get_future().share();
    const Fetch fetch = [&](const std::string& digest, int fd) {
        may_go.wait();
        return from(archive_)(digest, fd);
    };
    constexpr int kCallers = 8;
    std::atomic<int> waiting = 0;
    std::atomic<int> served = 0;
    std::vector<std::jthread> callers;
    callers.reserve(kCallers);
    for (int i = 0; i < kCallers; ++i) {
        callers.emplace_back([&] {
            if (++waiting == kCallers) go.set_value();
            if (store_->ensure(digest_, fetch).ok()) ++served;
        });
    }
    callers.clear();
    EXPECT_EQ(served, kCallers);
    EXPECT_EQ(fetches_, 1);
}

TEST_F(StoreTest, WrongDigestLeavesNothing) {
    EXPECT_EQ(store_->ensure(kOther, from(archive_)).status().code(), absl::StatusCode::kDataLoss);
    EXPECT_TRUE(isUntouched());
    EXPECT_EQ(store_->ensure("sha256:../../etc", from(archive_)).status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(store_->ensure("", from(archive_)).status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_FALSE(store_->has("sha256:.."));
}

TEST_F(StoreTest, FailedFetchAndBadArchiveLeaveNothingAndMayBeTriedAgain) {
    const auto failing = [](const std::string&, int) { return unavailable("no controller"); };
    EXPECT_EQ(store_->ensure(digest_, failing).status().code(), absl::StatusCode::kUnavailable);
    EXPECT_TRUE(isUntouched());
    const std::string junk = dir_ / "junk";
    ASSERT_TRUE(replaceFile(junk, "not an image").ok());
    EXPECT_EQ(store_->ensure(digestOf(junk).value(), from(junk)).status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_TRUE(isUntouched());
    EXPECT_TRUE(store_->ensure(digest_, from(archive_)).ok());
}

TEST_F(StoreTest, InterruptedUnpackingIsRemovedOnOpen) {
    ASSERT_TRUE(store_->ensure(digest_, from(archive_)).ok());
    const std::string directory = dir_ / ("store/images/" + digest_.substr(7));
    ASSERT_EQ(::unlink((directory + "/complete").c_str()), 0);
    ASSERT_TRUE(replaceFile(dir_ / "store/incoming/half", "x").ok());
    EXPECT_FALSE(store_->has(digest_));
    reopen();
    EXPECT_TRUE(isUntouched());
    EXPECT_TRUE(store_->ensure(digest_, from(archive_)).ok());
    EXPECT_EQ(fetches_, 2);
}

TEST_F(StoreTest, CollectsWhatIsNotKept) {
    ASSERT_TRUE(store_->ensure(digest_, from(archive_)).ok());
    const std::string second = makeImage("two");
    ASSERT_TRUE(store_->ensure(second, from(archive_)).ok());
    ASSERT_TRUE(store_->collectGarbage({second}).ok());
    EXPECT_FALSE(store_->has(digest_));
    EXPECT_TRUE(store_->has(second));
    ASSERT_TRUE(store_->collectGarbage({}).ok());
    EXPECT_TRUE(isUntouched());
}

TEST_F(StoreTest, DamagedConfigurationIsAnError) {
    const auto image = store_->ensure(digest_, from(archive_));
    ASSERT_TRUE(image.ok());
    ASSERT_TRUE(replaceFile(image->rootfs + "/../config.json", "{\"argv\": 1}").ok());
    EXPECT_EQ(store_->get(digest_).status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace homeslice::image
