// The manager over a machine that is made of memory: what it does, in which order, and what it makes of failures.
#include "noded/sliver/manager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>

#include "noded/mobility/fake_forwarder.h"
#include "noded/sliver/fake_machine.h"
#include "noded/sliver/node_manager.h"
#include "noded/sliver/record.h"

namespace homeslice::sliver {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Counts what is written.
class CountingStore : public store::KeyValueStore {
public:
    absl::Status put(const std::string& table, const std::string& key, const std::string& value) override {
        ++puts;
        return memory_->put(table, key, value);
    }
    absl::Status erase(const std::string& table, const std::string& key) override { return memory_->erase(table, key); }
    absl::StatusOr<std::map<std::string, std::string>> list(const std::string& table) override {
        return memory_->list(table);
    }
    absl::Status sync() override { return memory_->sync(); }

    std::atomic<int> puts = 0;

private:
    std::unique_ptr<store::KeyValueStore> memory_ = store::makeMemoryStore();
};

class ManagerTest : public testing::Test {
protected:
    ManagerTest() {
        machine_.on_event = [this] { noteChange(); };
        spec_.id = {.slice = "web", .index = 7};
        spec_.generation = 1;
        spec_.base.image_digest = "sha256:a";
        spec_.home_address = Ipv6Address::parse("fd51:1ce:0:1::1:7").value();
        spec_.slice_address = Ipv6Address::parse("fd51:1ce:0:1::1").value();
    }

    void noteChange() {
        const std::lock_guard lock(mutex_);
        ++changes_;
        changed_.notify_all();
    }

    // noded starts (again).
    absl::Status boot() {
        manager_.reset();
        auto created = createManager(
            std::make_unique<FakeHost>(machine_),
            {.store = *store_,
             .images = images_,
             .forwarder = forwarder_,
             .gateway = gateway_,
             .fetch_image = [this](const std::string&, int) { return machine_.step("fetch image"); },
             .fetch_disk = [this](const SliverId&, const DiskSource&, int) { return machine_.step("fetch disk"); },
             .changed = [this] { noteChange(); }});
        if (!created.ok()) return created.status();
        manager_ = std::move(*created);
        return absl::OkStatus();
    }

    void desire(std::vector<SliverSpec> slivers) {
        manager_->setDesired({.revision = ++revision_, .slivers = std::move(slivers)});
    }

    SliverReport report() const {
        const auto reports = manager_->reports();
        return reports.empty() ? SliverReport{} : reports[0];
    }

    // Waits for changes until `condition` holds.
    template <typename Condition>
    bool eventually(Condition condition) {
        const auto deadline = Monotonic::now() + std::chrono::seconds(20);
        for (;;) {
            uint64_t seen = 0;
            {
                const std::lock_guard lock(mutex_);
                seen = changes_;
            }
            if (condition()) return true;
            std::unique_lock lock(mutex_);
            if (!changed_.wait_until(lock, deadline, [&] { return changes_ != seen; })) return false;
        }
    }
    bool reaches(State state) {
        return eventually([&] { return report().state == state; });
    }
    bool runs() {
        desire({spec_});
        return reaches(State::running) && eventually([&] { return machine_.count("bind 7 gen 1") == 1; });
    }

    Record stored() { return parseRecord(store_->list("slivers")->begin()->second).value(); }

    std::mutex mutex_;
    std::condition_variable changed_;
    uint64_t changes_ = 0;
    FakeMachine machine_;
    FakeImages images_;
    FakeGateway gateway_{machine_};
    mobility::FakeForwarder forwarder_;
    std::unique_ptr<store::KeyValueStore> store_ = store::makeMemoryStore();
    SliverSpec spec_;
    uint64_t revision_ = 0;
    std::unique_ptr<Manager> manager_;  // last: goes first
};

TEST_F(ManagerTest, StartsAndThenBinds) {
    ASSERT_TRUE(boot().ok());
    EXPECT_EQ(manager_->desiredRevision(), 0U);
    desire({spec_});
    ASSERT_TRUE(reaches(State::running));
    manager_.reset();  // waits for the worker
    EXPECT_THAT(machine_.events(), ElementsAre("orphans", "fetch image", "start", "bind 0 gen 1", "bind 7 gen 1"));
    EXPECT_EQ(stored().state, State::running);
    EXPECT_EQ(stored().process.pid, 101);
    EXPECT_EQ(stored().disk_generation, 1U);
}

// A start waits for each.
TEST_F(ManagerTest, AStartWithItsImageHereIsTwoRecords) {
    auto counting = std::make_unique<CountingStore>();
    CountingStore& store = *counting;
    store_ = std::move(counting);
    ASSERT_TRUE(boot().ok());
    ASSERT_TRUE(runs());
    const int with_fetch = store.puts;
    desire({});
    ASSERT_TRUE(eventually([&] { return manager_->reports().empty(); }));
    store.puts = 0;
    machine_.clearEvents();
    ASSERT_TRUE(runs());
    EXPECT_EQ(store.puts, 2) << "the intent and the process";
    EXPECT_EQ(with_fetch, 3) << "and before that, that an image is awaited";
}

TEST_F(ManagerTest, ReportsWhatRuns) {
    ASSERT_TRUE(boot().ok());
    ASSERT_TRUE(runs());
    EXPECT_EQ(manager_->desiredRevision(), 1U);
    const SliverReport now = report();
    EXPECT_EQ(now.generation, 1U);
    EXPECT_TRUE(now.image_ready);
    EXPECT_GT(now.running_since_us, 0);
    EXPECT_EQ(now.memory_bytes, 4096U);
    EXPECT_THAT(manager_->inspect(), HasSubstr("\"process_alive\": true"));
}

TEST_F(ManagerTest, UnbindsBeforeItStopsAndKeepsTheDisk) {
    ASSERT_TRUE(boot().ok());
    ASSERT_TRUE(runs());
    machine_.clearEvents();
    spec_.run = DesiredRun::stopped;
    spec_.generation = 2;
    desire({spec_});
    ASSERT_TRUE(reaches(State::stopped));
    EXPECT_EQ(report().generation, 2U);
    EXPECT_THAT(machine_.events(), ElementsAre("unbind 0", "unbind 7", "stop", "cleanup"));
}

TEST_F(ManagerTest, KillsWhatCannotBeAsked) {
    ASSERT_TRUE(boot().ok());
    ASSERT_TRUE(runs());
    machine_.fail("stop");
    spec_.run = DesiredRun::stopped;
    desire({spec_});
    ASSERT_TRUE(reaches(State::stopped));
    EXPECT_EQ(machine_.count("kill"), 1U);
    EXPECT_EQ(machine_.running(), 0U);
}

TEST_F(ManagerTest, RemovesWhatIsDesiredNoMore) {
    ASSERT_TRUE(boot().ok());
    ASSERT_TRUE(runs());
    desire({});
    ASSERT_TRUE(eventually([&] { return manager_->reports().empty(); }));
    EXPECT_EQ(machine_.count("destroy"), 1U);
    EXPECT_TRUE(store_->list("slivers")->empty());
}

TEST_F(ManagerTest, ACommandThatEndsIsNotRunAgain) {
    ASSERT_TRUE(boot().ok());
    ASSERT_TRUE(runs());
    machine_.end(3);
    ASSERT_TRUE(reaches(State::exited));
    EXPECT_EQ(report().exit_status, 3);
    EXPECT_EQ(machine_.count("unbind 7"), 1U);
    desire({spec_});
    spec_.generation = 2;
    desire({spec_});
    ASSERT_TRUE(reaches(State::running));
    EXPECT_EQ(machine_.count("start"), 2U);
}

TEST_F(ManagerTest, NamesTheMemoryLimit) {
    spec_.base.resources.memory_bytes = 1 << 20;
    ASSERT_TRUE(boot().ok());
    ASSERT_TRUE(runs());
    machine_.end(137, 1);
    ASSERT_TRUE(reaches(State::exited));
    EXPECT_THAT(report().reason, HasSubstr("out of memory"));
}

TEST_F(ManagerTest, WhatWasKilledFromOutsideComesBack) {
    ASSERT_TRUE(boot().ok());
    ASSERT_TRUE(runs());
    machine_.end(std::nullopt);
    ASSERT_TRUE(reaches(State::failed));
    ASSERT_TRUE(reaches(State::running)) << "after the first delay";
}

TEST_F(ManagerTest, AFailedStartSaysWhyAndIsTriedAgain) {
    ASSERT_TRUE(boot().ok());
    machine_.fail("start");
    desire({spec_});
    ASSERT_TRUE(reaches(State::failed));
    EXPECT_THAT(report().reason, HasSubstr("start was made to fail"));
    machine_.fail("");
    ASSERT_TRUE(reaches(State::running));
    EXPECT_EQ(report().reason, "");
}

TEST_F(ManagerTest, ANewGenerationOnlyBindsAnew) {
    ASSERT_TRUE(boot().ok());
    ASSERT_TRUE(runs());
    machine_.clearEvents();
    spec_.generation = 2;
    desire({spec_});
    ASSERT_TRUE(eventually([&] { return report().generation == 2; }));
    manager_.reset();
    EXPECT_THAT(machine_.events(), ElementsAre("bind 0 gen 2", "bind 7 gen 2"));
    EXPECT_EQ(stored().disk_generation, 2U);
}

TEST_F(ManagerTest, NewPortsAreOpenedUnderWay) {
    ASSERT_TRUE(boot().ok());
    ASSERT_TRUE(runs());
    spec_.base.exposed.push_back({.protocol = 6, .port = 80});
    desire({spec_});
    EXPECT_TRUE(eventually([&] { return machine_.count("update") == 1; }));
    EXPECT_EQ(machine_.count("start"), 1U);
}

TEST_F(ManagerTest, ResourcesChangeUnderWay) {
    ASSERT_TRUE(boot().ok());
    ASSERT_TRUE(runs());
    machine_.fail("update");
    spec_.base.resources.pids = 9;
    desire({spec_});
    ASSERT_TRUE(eventually([&] { return report().reason == "not changed: update was made to fail"; }));
    EXPECT_EQ(report().state, State::running);
    EXPECT_TRUE(report().stale);
    EXPECT_EQ(stored().spec.base.resources.pids, 0U);
    machine_.fail("");
    ASSERT_TRUE(eventually([&] { return report().reason.empty(); })) << "it is tried again";
    EXPECT_FALSE(report().stale);
    EXPECT_TRUE(eventually([&] { return stored().spec.base.resources.pids == 9U; }));
    EXPECT_EQ(machine_.count("start"), 1U);
}

TEST_F(ManagerTest, AFailedChangeThatIsTakenBackLeavesNoReason) {
    ASSERT_TRUE(boot().ok());
    ASSERT_TRUE(runs());
    machine_.fail("update");
    SliverSpec changed = spec_;
    changed.base.resources.pids = 9;
    desire({changed});
    ASSERT_TRUE(eventually([&] { return !report().reason.empty(); }));
    desire({spec_});
    EXPECT_EQ(report().reason, "");
}

TEST_F(ManagerTest, FreezesAndThaws) {
    ASSERT_TRUE(boot().ok());
    ASSERT_TRUE(runs());
    spec_.run = DesiredRun::frozen;
    desire({spec_});
    ASSERT_TRUE(reaches(State::frozen));
    EXPECT_EQ(manager_->exec(spec_.id, {}).status().code(), absl::StatusCode::kFailedPrecondition);
    machine_.clearEvents();
    ASSERT_TRUE(boot().ok());
    EXPECT_EQ(report().state, State::frozen);
    EXPECT_EQ(machine_.count("freeze"), 1U) << "noded may have died half way";
    spec_.run = DesiredRun::running;
    desire({spec_});
    ASSERT_TRUE(reaches(State::running));
    EXPECT_EQ(machine_.count("thaw"), 1U);
    EXPECT_EQ(machine_.count("start"), 0U);
}

TEST_F(ManagerTest, AStopThawsFirst) {
    ASSERT_TRUE(boot().ok());
    spec_.run = DesiredRun::frozen;
    desire({spec_});
    ASSERT_TRUE(reaches(State::frozen));
    machine_.clearEvents();
    spec_.run = DesiredRun::stopped;
    desire({spec_});
    ASSERT_TRUE(reaches(State::stopped));
    EXPECT_THAT(machine_.events(), ElementsAre("unbind 0", "unbind 7", "thaw", "stop", "cleanup"));
}

TEST_F(ManagerTest, WhatCannotBeFrozenRunsOn) {
    ASSERT_TRUE(boot().ok());
    ASSERT_TRUE(runs());
    machine_.fail("freeze");
    spec_.run = DesiredRun::frozen;
    desire({spec_});
    ASSERT_TRUE(eventually([&] { return !report().reason.empty(); }));
    EXPECT_EQ(stored().state, State::running);
    EXPECT_EQ(machine_.running(), 1U);
}

TEST_F(ManagerTest, ThePolicyRunsACommandAgainAndCounts) {
    spec_.base.restart = RestartWhen::on_failure;
    ASSERT_TRUE(boot().ok());
    ASSERT_TRUE(runs());
    machine_.end(3);
    ASSERT_TRUE(reaches(State::exited));
    EXPECT_EQ(report().exit_status, 3);
    ASSERT_TRUE(reaches(State::running));
    EXPECT_EQ(report().restarts, 1U);
    machine_.end(0);
    ASSERT_TRUE(reaches(State::exited));
    spec_.generation = 2;
    desire({spec_});
    ASSERT_TRUE(reaches(State::running));
    EXPECT_EQ(report().restarts, 0U) << "it was asked for";
}

TEST_F(ManagerTest, TellsOfMemoryKillsInWhatRunsOn) {
    spec_.base.resources.memory_bytes = 1 << 20;
    ASSERT_TRUE(boot().ok());
    ASSERT_TRUE(runs());
    EXPECT_EQ(report().reason, "");
    machine_.kills_so_far = 1;
    EXPECT_THAT(report().reason, HasSubstr("out of memory: 1 process was killed at the limit of 1048576 bytes"));
}

TEST_F(ManagerTest, AnotherImageRestarts) {
    ASSERT_TRUE(boot().ok());
    ASSERT_TRUE(runs());
    spec_.base.image_digest = "sha256:b";
    desire({spec_});
    ASSERT_TRUE(eventually([&] { return machine_.count("start") == 2 && report().state == State::running; }));
    EXPECT_EQ(machine_.count("stop"), 1U);
}

TEST_F(ManagerTest, ImportsTheDiskOnce) {
    spec_.generation = 2;
    spec_.disk_source.emplace().generation = 1;
    ASSERT_TRUE(boot().ok());
    desire({spec_});
    ASSERT_TRUE(reaches(State::running));
    spec_.base.env = {"A=1"};  // restarts
    desire({spec_});
    ASSERT_TRUE(eventually([&] { return machine_.count("start") == 2 && report().state == State::running; }));
    EXPECT_EQ(machine_.count("import"), 1U);
    EXPECT_EQ(machine_.count("fetch disk"), 1U);
}

TEST_F(ManagerTest, AStaleDiskIsReplaced) {
    ASSERT_TRUE(boot().ok());
    ASSERT_TRUE(runs());
    spec_.generation = 3;  // it ran elsewhere as generation 2 meanwhile
    spec_.disk_source.emplace().generation = 2;
    desire({spec_});
    ASSERT_TRUE(eventually([&] { return machine_.count("import") == 1 && report().state == State::running; }));
    EXPECT_EQ(machine_.count("stop"), 1U);
}

TEST_F(ManagerTest, PreparesTheImageAlone) {
    spec_.run = DesiredRun::prepared;
    ASSERT_TRUE(boot().ok());
    desire({spec_});
    ASSERT_TRUE(eventually([&] { return report().image_ready && report().state == State::preparing; }));
    EXPECT_EQ(machine_.count("start"), 0U);
    spec_.run = DesiredRun::running;
    desire({spec_});
    ASSERT_TRUE(reaches(State::running));
    EXPECT_EQ(machine_.count("fetch image"), 1U);
}

TEST_F(ManagerTest, ARestartOfNodedDisturbsNothing) {
    ASSERT_TRUE(boot().ok());
    ASSERT_TRUE(runs());
    machine_.clearEvents();
    ASSERT_TRUE(boot().ok());
    EXPECT_EQ(report().state, State::running);
    EXPECT_THAT(machine_.events(),
                ElementsAre("reserve", "recover", "thaw", "bind 0 gen 1", "bind 7 gen 1", "orphans"));
    EXPECT_THAT(machine_.known_to_records, ElementsAre("web.7"));
    desire({spec_});
    machine_.end(0);
    EXPECT_TRUE(reaches(State::exited));
}

TEST_F(ManagerTest, WhatEndedWhileNodedWasDeadIsSettled) {
    ASSERT_TRUE(boot().ok());
    ASSERT_TRUE(runs());
    manager_.reset();
    machine_.end(4);
    ASSERT_TRUE(boot().ok());
    ASSERT_TRUE(reaches(State::exited));
    EXPECT_EQ(report().exit_status, 4);
}

TEST_F(ManagerTest, AStartThatWasCutShortBeginsAgain) {
    Record record;
    record.spec = spec_;
    record.state = State::starting;
    ASSERT_TRUE(store_->put("slivers", "web/7", toJson(record)).ok());
    ASSERT_TRUE(boot().ok());
    EXPECT_EQ(report().state, State::pending);
    EXPECT_EQ(machine_.count("cleanup"), 1U);
    ASSERT_TRUE(runs());
}

TEST_F(ManagerTest, ADeletionThatWasCutShortGoesOn) {
    Record record;
    record.spec = spec_;
    record.state = State::deleting;
    ASSERT_TRUE(store_->put("slivers", "web/7", toJson(record)).ok());
    ASSERT_TRUE(boot().ok());
    desire({});
    ASSERT_TRUE(eventually([&] { return manager_->reports().empty(); }));
    EXPECT_EQ(machine_.count("destroy"), 1U);
}

TEST_F(ManagerTest, NothingIsRemovedBeforeTheFirstPicture) {
    ASSERT_TRUE(boot().ok());
    ASSERT_TRUE(runs());
    ASSERT_TRUE(boot().ok());
    manager_.reset();
    EXPECT_EQ(machine_.count("stop") + machine_.count("destroy"), 0U);
}

TEST_F(ManagerTest, ImagesThatNoSliverHasGoWhenNodedStarts) {
    const auto fetch = [](const std::string&, int) { return absl::OkStatus(); };
    ASSERT_TRUE(boot().ok());
    ASSERT_TRUE(images_.ensure("sha256:old", fetch).ok());
    ASSERT_TRUE(runs());
    EXPECT_TRUE(images_.has("sha256:old"));
    ASSERT_TRUE(boot().ok());
    EXPECT_FALSE(images_.has("sha256:old"));
    EXPECT_TRUE(images_.has(spec_.base.image_digest));
    // Nobody knows what a sliver runs on whose record cannot be read.
    ASSERT_TRUE(images_.ensure("sha256:unknown", fetch).ok());
    ASSERT_TRUE(store_->put("slivers", "web/8", "rubbish").ok());
    ASSERT_TRUE(boot().ok());
    EXPECT_TRUE(images_.has("sha256:unknown"));
}

TEST_F(ManagerTest, ABrokenRecordIsKeptAndShown) {
    ASSERT_TRUE(store_->put("slivers", "web/7", "half a rec").ok());
    ASSERT_TRUE(boot().ok());
    desire({spec_});
    EXPECT_EQ(report().state, State::failed);
    EXPECT_THAT(report().reason, HasSubstr("record"));
    EXPECT_THAT(machine_.known_to_records, ElementsAre("web.7"));
    EXPECT_EQ(machine_.count("reserve"), 1U) << "its ids are nobody else's";
    manager_.reset();
    EXPECT_EQ(machine_.count("start"), 0U);
    EXPECT_EQ(store_->list("slivers")->at("web/7"), "half a rec");
}

TEST_F(ManagerTest, ABrokenRecordGoesWhenNobodyWantsItsSliver) {
    ASSERT_TRUE(store_->put("slivers", "web/7", "half a rec").ok());
    ASSERT_TRUE(boot().ok());
    desire({});
    ASSERT_TRUE(eventually([&] { return manager_->reports().empty(); }));
    EXPECT_EQ(machine_.count("cleanup") + machine_.count("destroy"), 2U);
    EXPECT_TRUE(store_->list("slivers")->empty());
}

TEST_F(ManagerTest, WithoutAStoreItDoesNotBegin) {
    store_ = store::makeFailingStore();
    EXPECT_FALSE(boot().ok());
    EXPECT_THAT(machine_.events(), ElementsAre());
}

TEST_F(ManagerTest, WhatCannotBeRememberedIsNotStarted) {
    // Reads well, writes never.
    class ReadOnlyStore : public store::KeyValueStore {
    public:
        absl::Status put(const std::string&, const std::string&, const std::string&) override {
            return unavailable("disk full");
        }
        absl::Status erase(const std::string&, const std::string&) override { return unavailable("disk full"); }
        absl::StatusOr<std::map<std::string, std::string>> list(const std::string&) override {
            return std::map<std::string, std::string>();
        }
        absl::Status sync() override { return unavailable("disk full"); }
    };
    store_ = std::make_unique<ReadOnlyStore>();
    ASSERT_TRUE(boot().ok());
    desire({spec_});
    ASSERT_TRUE(reaches(State::failed));
    EXPECT_THAT(report().reason, HasSubstr("disk full"));
    EXPECT_EQ(machine_.count("start"), 0U);
}

TEST_F(ManagerTest, RefusesWhatNeedsAnotherState) {
    ASSERT_TRUE(boot().ok());
    EXPECT_EQ(manager_->exec(spec_.id, {}).status().code(), absl::StatusCode::kNotFound);
    EXPECT_EQ(manager_->logDirectory(spec_.id).status().code(), absl::StatusCode::kNotFound);
    EXPECT_EQ(manager_->exportDisk(spec_.id, 1, -1).code(), absl::StatusCode::kNotFound);
    ASSERT_TRUE(runs());
    EXPECT_EQ(manager_->exportDisk(spec_.id, 1, -1).code(), absl::StatusCode::kFailedPrecondition);
    spec_.run = DesiredRun::stopped;
    desire({spec_});
    ASSERT_TRUE(reaches(State::stopped));
    EXPECT_EQ(manager_->exportDisk(spec_.id, 9, -1).code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(manager_->exec(spec_.id, {}).status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace homeslice::sliver
