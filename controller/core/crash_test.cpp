// sliced killed before and after every write to its store, in a life of slices that does all it can: whatever the
// moment, when it is back and the users have asked again what they got no answer to, everything is as was asked, once.
#include <gtest/gtest.h>

#include <functional>

#include "controller/core/test_world.h"

namespace homeslice::controller {
namespace {

using testing_support::FakeNode;
using testing_support::TestWorld;

enum class Moment { before_write, after_write };

// Memory that dies with sliced at one of its writes: from then on nothing is heard of it until it is revived.
class DyingStore : public Store {
public:
    // `fatal` counts writes from now on, from 1; 0: none.
    void dieAt(int fatal, Moment moment) {
        fatal_ = fatal;
        moment_ = moment;
        writes_ = 0;
    }
    void revive() { dead_ = false; }
    bool dead() const { return dead_; }
    int writes() const { return writes_; }

    absl::StatusOr<Snapshot> load() override { return store_->load(); }
    absl::Status apply(const Changes& changes) override {
        return write([&] { return store_->apply(changes); });
    }
    absl::Status record(const AuditEntry& entry) override {
        return write([&] { return store_->record(entry); });
    }
    absl::StatusOr<std::vector<AuditEntry>> audit(uint32_t most) override { return store_->audit(most); }

private:
    absl::Status write(const std::function<absl::Status()>& act) {
        if (dead_) return unavailable("sliced is dead");
        dead_ = ++writes_ == fatal_;
        if (dead_ && moment_ == Moment::before_write) return unavailable("sliced has just died");
        const absl::Status written = act();
        return dead_ ? unavailable("sliced has just died") : written;
    }

    std::unique_ptr<Store> store_ = makeMemoryStore();
    int fatal_ = 0;
    Moment moment_ = Moment::before_write;
    int writes_ = 0;
    bool dead_ = false;
};

class Life {
public:
    Life(int fatal, Moment moment) {
        auto store = std::make_unique<DyingStore>();
        store_ = store.get();
        world_ = std::make_unique<TestWorld>(std::move(store));
        world_->addLab(kNodes);
        store_->dieAt(fatal, moment);
    }

    // All that a slice can live through, and what must be true after each part of it.
    void live() {
        ask([this] { return world_->create("web", {"node1", "node2"}, "create").status(); });
        expectAllRun({{1, "node1"}, {2, "node2"}});
        ask([this] { return controller().moveSliver({"web", 1}, "node3", "move").status(); });
        expectAllRun({{1, "node3"}, {2, "node2"}});
        ask([this] { return controller().setFrozen({"web", 0}, true, "freeze").status(); });
        EXPECT_EQ(world_->node("node3").desired({"web", 1})->run, DesiredRun::frozen);
        ask([this] { return controller().setFrozen({"web", 0}, false, "thaw").status(); });
        ask([this] { return setShare(); });
        ask([this] { return controller().renewSlice("web", 3600).status(); });
        ask([this] { return controller().drainNode("node2", "drain").status(); });
        expectAllRun({{1, "node3"}, {2, "node1"}});
        ask([this] { return controller().deleteSlice("web", "delete").status(); });
        expectNothingLeft();
        expectEachOnce({"create", "move", "freeze", "thaw", "set", "drain", "delete"});
    }
    int writes() const { return store_->writes(); }

private:
    static constexpr int kNodes = 3;

    Controller& controller() { return world_->controller(); }

    absl::Status setShare() {
        SliceChange change;
        change.shares = {{.index = 1, .weight = 5}};
        return controller().setSlice("web", change, "set").status();
    }

    // As a user does: again, while there is no answer.
    void ask(const std::function<absl::Status()>& request) {
        absl::Status answer = request();
        for (; comeBack(); answer = request()) continue;
        EXPECT_TRUE(answer.ok()) << answer;
        do world_->settle();
        while (comeBack());
        controller().tick();
        if (comeBack()) world_->settle();
    }

    // True when it was dead.
    bool comeBack() {
        if (!store_->dead()) return false;
        store_->revive();
        world_->restart();
        world_->settle();
        return true;
    }

    // Each sliver runs on its node, and on no other.
    void expectAllRun(const std::map<uint32_t, std::string>& nodes) {
        for (const auto& [index, where] : nodes) {
            const SliverId id{"web", index};
            const auto view = controller().sliver(id);
            ASSERT_TRUE(view.ok()) << view.status();
            EXPECT_EQ(view->state, SliverState::running) << id.toString();
            const Sliver row = store_->load()->slivers.at(id);
            EXPECT_EQ(row.node, where);
            EXPECT_EQ(row.holders, std::set<std::string>{where});
            EXPECT_FALSE(row.moving());
            for (int node = 1; node <= kNodes; ++node) {
                const std::string name = "node" + std::to_string(node);
                EXPECT_EQ(world_->node(name).slivers.contains(id), name == where) << id.toString() << " on " << name;
            }
        }
    }

    void expectNothingLeft() {
        EXPECT_TRUE(controller().slices().empty());
        for (int node = 1; node <= kNodes; ++node) {
            EXPECT_TRUE(world_->node("node" + std::to_string(node)).slivers.empty()) << node;
        }
    }

    void expectEachOnce(const std::vector<std::string>& requests) {
        std::map<std::string, int> times;
        const Snapshot snapshot = *store_->load();
        for (const auto& [id, operation] : snapshot.operations) {
            if (operation.kind == OperationKind::importImage) continue;  // the world's, which no user asked for
            ++times[operation.request_id];
            EXPECT_EQ(operation.state, OperationState::done) << operation.request_id << ": " << operation.step;
        }
        for (const std::string& request : requests) EXPECT_EQ(times[request], 1) << request;
        EXPECT_EQ(times.size(), requests.size());
    }

    DyingStore* store_ = nullptr;  // the world's
    std::unique_ptr<TestWorld> world_;
};

int writesOfAnUndisturbedLife() {
    Life life(0, Moment::before_write);
    life.live();
    return life.writes();
}

TEST(Crash, AtAnyWriteConvergesToWhatWasAsked) {
    const int writes = writesOfAnUndisturbedLife();
    ASSERT_FALSE(testing::Test::HasFailure());
    EXPECT_GT(writes, 15);
    for (const Moment moment : {Moment::before_write, Moment::after_write}) {
        for (int fatal = 1; fatal <= writes && !testing::Test::HasFailure(); ++fatal) {
            SCOPED_TRACE(std::string(moment == Moment::before_write ? "before" : "after") + " write " +
                         std::to_string(fatal) + " of " + std::to_string(writes));
            Life(fatal, moment).live();
        }
    }
}

}  // namespace
}  // namespace homeslice::controller
