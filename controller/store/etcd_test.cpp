// The store in a real etcd, in a network of the test's own.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <utility>

#include "base/names.h"
#include "controller/store/etcd/client.h"
#include "controller/store/etcd/keys.h"
#include "controller/store/etcd/seat.h"
#include "controller/store/etcd/writer.h"
#include "controller/store/schema.h"
#include "controller/store/store_suite.h"
#include "controller/store/test_directory.h"
#include "tests/support/etcd.h"
#include "tests/support/privileges.h"

namespace homeslice::controller::testing_support {
namespace {

using homeslice::testing_support::enterPrivateNetwork;
using homeslice::testing_support::EtcdCluster;

constexpr std::chrono::seconds kElectionTimeout{2};
constexpr std::chrono::seconds kLease{3};

// One etcd for all tests; each has a prefix of its own.
class TestEtcd : public ::testing::Environment {
public:
    void SetUp() override {
        if (::geteuid() != 0) return;
        enterPrivateNetwork();
        directory_ = std::make_unique<TestDirectory>();
        cluster_ = std::make_unique<EtcdCluster>(std::vector<homeslice::testing_support::EtcdPlace>{{"", "::1"}},
                                                 directory_->file("etcd"), kElectionTimeout);
        ASSERT_TRUE(cluster_->healthy()) << readFile(directory_->file("etcd/etcd.log")).value_or("");
    }
    void TearDown() override {
        cluster_.reset();
        directory_.reset();
    }

    EtcdConfig config(const std::string& prefix) const {
        return {cluster_->endpoints(), cluster_->certificate(), cluster_->certificate(), cluster_->key(), prefix};
    }
    EtcdCluster& cluster() { return *cluster_; }

private:
    std::unique_ptr<TestDirectory> directory_;
    std::unique_ptr<EtcdCluster> cluster_;
};

TestEtcd* const test_etcd = static_cast<TestEtcd*>(::testing::AddGlobalTestEnvironment(new TestEtcd));

std::unique_ptr<EtcdSeat> sitDown(const EtcdConfig& config, const std::string& address) {
    auto seat = EtcdSeat::open(config, address);
    EXPECT_TRUE(seat.ok()) << seat.status();
    return seat.ok() ? std::move(seat).value() : nullptr;
}

// Stands until it leads.
bool winsWithin(EtcdSeat& seat, std::chrono::seconds time) {
    const auto deadline = std::chrono::steady_clock::now() + time;
    while (std::chrono::steady_clock::now() < deadline) {
        if (seat.campaign().value_or(false)) return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return false;
}

class EtcdHome : public StoreHome {
public:
    EtcdHome() : config_(test_etcd->config("/" + randomId())) {}
    std::unique_ptr<DurableStore> open() override {
        seat_.reset();
        seat_ = sitDown(config_, "[::1]:7400");
        EXPECT_TRUE(winsWithin(*seat_, std::chrono::seconds(10)));
        return seat_->store();
    }

private:
    const EtcdConfig config_;
    std::unique_ptr<EtcdSeat> seat_;
};

INSTANTIATE_TEST_SUITE_P(Etcd, StoreSuite,
                         ::testing::Values(StoreKind{"etcd", [] { return std::make_unique<EtcdHome>(); }, true}),
                         kindName);

class EtcdTest : public ::testing::Test {
protected:
    void SetUp() override {
        HS_REQUIRE_ROOT();
        config_ = test_etcd->config(prefix_);
        client_ = etcd::Client::open(config_).value();
    }

    void put(const std::string& key, const std::string& value) {
        etcdserverpb::TxnRequest request;
        *request.add_success() = etcd::putOf(key, value);
        ASSERT_TRUE(client_->txn(request).ok());
    }
    // As an administrator would, or a lease that ends.
    void depose() {
        etcdserverpb::TxnRequest request;
        *request.add_success() = etcd::deletionOf(keys_.leader());
        ASSERT_TRUE(client_->txn(request).ok());
    }
    bool isThere(const std::string& key) { return client_->range(etcd::rangeOf(key))->kvs_size() != 0; }
    // In place of what is there, what version 1 wrote: a slice with slivers from the first on.
    void putOldRows(uint32_t slivers) {
        etcdserverpb::TxnRequest removal;
        *removal.add_success() = etcd::deletionBelow(keys_.data());
        ASSERT_TRUE(client_->txn(removal).ok());
        put(keys_.data() + "images/busybox", R"(["busybox","sha256:00",4711,5])");
        put(keys_.data() + "slices/web", R"(["web",7,"busybox","sha256:00",1500,1024,100,"[]","[\"sh\"]",1,2,0])");
        etcd::Acts rows;
        for (uint32_t i = 1; i <= slivers; ++i) {
            rows[keys_.data() + fmt::format("slivers/web/{}", i)] =
                fmt::format(R"(["web",{},"node1",3,4,"[\"node1\"]","none","","",0,0,""])", i);
        }
        for (const auto& part : etcd::inParts(rows)) ASSERT_TRUE(client_->txn(part).ok());
        put(keys_.meta(),
            R"({"schema":1,"revision":5,"last_slice_number":7,"home_prefix":"fd51:1ce::/48","batch":"x"})");
    }
    etcd::Lead leadOf(EtcdSeat& seat) {
        EXPECT_TRUE(winsWithin(seat, std::chrono::seconds(10)));
        const auto key = client_->range(etcd::rangeOf(keys_.leader())).value();
        return {.created = key.kvs(0).create_revision(), .lost = [] {}};
    }

    const std::string prefix_ = "/" + randomId();
    const etcd::Keys keys_{prefix_};
    EtcdConfig config_;
    std::unique_ptr<etcd::Client> client_;
};

TEST_F(EtcdTest, OnlyOneLeadsAndTheOthersKnowWho) {
    const auto a = sitDown(config_, "[::1]:1");
    const auto b = sitDown(config_, "[::1]:2");
    EXPECT_TRUE(*a->campaign());
    EXPECT_TRUE(*a->campaign()) << "asked again";
    EXPECT_FALSE(*b->campaign());
    EXPECT_TRUE(a->leads());
    EXPECT_FALSE(b->leads());
    EXPECT_EQ(b->leader(), "[::1]:1");
    EXPECT_EQ(*a->others(), std::vector<std::string>{"[::1]:2"});
}

TEST_F(EtcdTest, WhoLeavesIsFollowedAtOnce) {
    auto a = sitDown(config_, "[::1]:1");
    const auto b = sitDown(config_, "[::1]:2");
    ASSERT_TRUE(*a->campaign());
    a.reset();
    EXPECT_TRUE(*b->campaign());
    EXPECT_TRUE(b->others()->empty());
}

TEST_F(EtcdTest, TheLeaseLastsAsLongAsItsHolder) {
    const auto a = sitDown(config_, "[::1]:1");
    ASSERT_TRUE(*a->campaign());
    std::this_thread::sleep_for(kLease + std::chrono::seconds(1));
    EXPECT_TRUE(a->leads());
    EXPECT_TRUE(*a->campaign());
}

TEST_F(EtcdTest, ADeposedLeaderWritesNothing) {
    const auto a = sitDown(config_, "[::1]:1");
    const auto b = sitDown(config_, "[::1]:2");
    ASSERT_TRUE(*a->campaign());
    const auto of_a = a->store();
    ASSERT_TRUE(of_a->load().ok());
    ASSERT_TRUE(of_a->apply(everything()).ok());
    depose();
    ASSERT_TRUE(winsWithin(*b, std::chrono::seconds(10)));
    const auto of_b = b->store();
    const Snapshot before = *of_b->load();
    EXPECT_EQ(before.slices.size(), 1U);
    for (const Changes& changes : {Changes(), large(1), large(1000)}) {
        const absl::Status refused = of_a->apply(changes);
        EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable);
        EXPECT_TRUE(isLeadLost(refused)) << refused;
    }
    EXPECT_EQ(of_a->record({}).code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(of_a->replace({}, {}).code(), absl::StatusCode::kUnavailable);
    EXPECT_FALSE(a->leads());
    EXPECT_EQ(*of_b->load(), before);
    EXPECT_TRUE(of_b->apply(large(1)).ok());
}

// It led, lost the lead and has it again: what it knew is old.
TEST_F(EtcdTest, AStoreOfAnEarlierLeadWritesNothing) {
    const auto a = sitDown(config_, "[::1]:1");
    ASSERT_TRUE(*a->campaign());
    const auto earlier = a->store();
    ASSERT_TRUE(earlier->load().ok());
    depose();
    ASSERT_TRUE(winsWithin(*a, std::chrono::seconds(10)));
    EXPECT_EQ(earlier->apply(everything()).code(), absl::StatusCode::kUnavailable);
}

TEST_F(EtcdTest, ADecidedBatchIsCompletedByWhoLeadsNext) {
    const auto a = sitDown(config_, "[::1]:1");
    etcd::FencedWriter writer(*client_, keys_, leadOf(*a));
    etcd::ActCollector collector(keys_.data());
    ASSERT_TRUE(writeRows(large(1000), collector).ok());
    const etcd::Meta meta{
        .schema = presentVersion(), .revision = 1, .last_slice_number = 1, .home_prefix = "", .batch = ""};
    // The crash comes here, before a single row is in its place.
    ASSERT_TRUE(writer.commitInNotes(etcd::inNotes(collector.take()), {}, meta).ok());
    const auto store = a->store();
    const auto loaded = store->load();
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    EXPECT_EQ(loaded->slivers.size(), 1000U);
    EXPECT_EQ(loaded->revision, 1U);
}

TEST_F(EtcdTest, PartsThatArriveLateUndoNothing) {
    const auto a = sitDown(config_, "[::1]:1");
    etcd::FencedWriter writer(*client_, keys_, leadOf(*a));
    etcd::ActCollector collector(keys_.data());
    ASSERT_TRUE(writeRows(large(1000), collector).ok());
    const etcd::Acts acts = collector.take();
    const etcd::Meta meta{
        .schema = presentVersion(), .revision = 1, .last_slice_number = 1, .home_prefix = "", .batch = ""};
    ASSERT_TRUE(writer.commitInNotes(etcd::inNotes(acts), {}, meta).ok());
    const auto store = a->store();
    const auto loaded = store->load();
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    Changes removal;
    for (const auto& [id, sliver] : loaded->slivers) removal.erase_slivers.push_back(id);
    ASSERT_TRUE(store->apply(removal).ok());
    // As if these had waited in a machine that was cut off for a while.
    EXPECT_EQ(writer.carryOut(etcd::inParts(acts)).code(), absl::StatusCode::kUnavailable);
    EXPECT_TRUE(store->load()->slivers.empty());
}

TEST_F(EtcdTest, AnUndecidedBatchHasNotHappened) {
    const auto a = sitDown(config_, "[::1]:1");
    ASSERT_TRUE(*a->campaign());
    etcdserverpb::TxnRequest part;
    *part.add_success() = etcd::putOf(keys_.data() + "images/x", "no row at all");
    put(keys_.pending(0), part.SerializeAsString());
    const auto store = a->store();
    const auto loaded = store->load();
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    EXPECT_TRUE(loaded->images.empty());
    ASSERT_TRUE(store->apply(large(1000)).ok());
    EXPECT_TRUE(store->load()->images.empty());
}

TEST_F(EtcdTest, MoreRowsThanAPageHasAreAllRead) {
    constexpr uint32_t kMany = 20'500;
    const auto a = sitDown(config_, "[::1]:1");
    ASSERT_TRUE(*a->campaign());
    const auto store = a->store();
    ASSERT_TRUE(store->load().ok());
    ASSERT_TRUE(store->apply(large(kMany)).ok());
    const auto loaded = store->load();
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    EXPECT_EQ(loaded->slivers.size(), kMany);
}

TEST_F(EtcdTest, RowsOfAnEarlierVersionAreMigrated) {
    const std::string elsewhere = keys_.data() + "slivers/where no key of today's is";
    putOldRows(2);
    put(elsewhere, R"(["web",3,"node1",3,4,"[\"node1\"]","none","","",0,0,""])");
    put(keys_.audit(1), R"([14,"alice","CreateSlice","web","ok"])");
    const auto a = sitDown(config_, "[::1]:1");
    ASSERT_TRUE(*a->campaign());
    const auto store = a->store();
    for (int round = 0; round < 2; ++round) {
        const auto loaded = store->load();
        ASSERT_TRUE(loaded.ok()) << loaded.status();
        EXPECT_EQ(loaded->revision, 5U);
        EXPECT_EQ(loaded->slices.at("web").base.resources.cpu_millis, 1500U);
        EXPECT_EQ(loaded->slivers.at({"web", 2}).weight, kDefaultWeight);
        EXPECT_EQ(loaded->slivers.size(), 3U);
    }
    EXPECT_FALSE(isThere(elsewhere));
    EXPECT_EQ(store->audit(10)->size(), 1U);
    EXPECT_TRUE(store->apply(everything()).ok());
}

// Whoever leads dies when the first trace of the migration is seen, or a later one.
TEST_F(EtcdTest, AMigrationThatIsCutOffLosesNothing) {
    constexpr uint32_t kSlivers = 8000;
    for (const std::string& trace : {keys_.pending(0), keys_.pending(2), keys_.intent(), keys_.replacing()}) {
        SCOPED_TRACE(trace);
        putOldRows(kSlivers);
        auto a = sitDown(config_, "[::1]:1");
        ASSERT_TRUE(winsWithin(*a, std::chrono::seconds(10)));
        std::atomic<bool> ended = false;
        std::thread migration([&ended, store = a->store()] {
            store->load().status().IgnoreError();
            ended = true;
        });
        while (!ended && !isThere(trace)) {
        }
        depose();
        migration.join();
        a.reset();
        const auto b = sitDown(config_, "[::1]:2");
        ASSERT_TRUE(winsWithin(*b, std::chrono::seconds(10)));
        const auto loaded = b->store()->load();
        ASSERT_TRUE(loaded.ok()) << loaded.status();
        EXPECT_EQ(loaded->slivers.size(), kSlivers);
        EXPECT_EQ(loaded->revision, 5U);
    }
}

TEST_F(EtcdTest, RefusesWhatANewerOneWroteAndWhatIsHalf) {
    const auto a = sitDown(config_, "[::1]:1");
    ASSERT_TRUE(*a->campaign());
    put(keys_.meta(), R"({"schema":1000,"revision":5,"last_slice_number":7,"home_prefix":"","batch":"x"})");
    EXPECT_EQ(a->store()->load().status().code(), absl::StatusCode::kFailedPrecondition);
    put(keys_.meta(), "{}");
    EXPECT_EQ(a->store()->load().status().code(), absl::StatusCode::kDataLoss);
    put(keys_.replacing(), "");
    EXPECT_EQ(a->store()->load().status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_TRUE(a->store()->replace({}, {}).ok()) << "repeated, it is whole";
    EXPECT_TRUE(a->store()->load().ok());
    put(keys_.data() + "images/x", "[1]");
    EXPECT_EQ(a->store()->load().status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(EtcdTest, AsksForACertificateAndSaysWhoDoesNotAnswer) {
    EtcdConfig nobody = config_;
    nobody.endpoints = {"[::1]:1"};
    const auto seat = EtcdSeat::open(nobody, "[::1]:1");
    EXPECT_EQ(seat.status().code(), absl::StatusCode::kUnavailable);
    EXPECT_NE(seat.status().ToString().find("[::1]:1"), std::string::npos);
    EtcdConfig without = config_;
    without.key = "/nowhere";
    EXPECT_EQ(EtcdSeat::open(without, "[::1]:1").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace homeslice::controller::testing_support
