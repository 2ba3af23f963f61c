#include "controller/core/index.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "controller/core/change_log.h"

namespace homeslice::controller {
namespace {

const std::vector<std::string> kNodes = {"node1", "node2", "node3"};
const std::vector<std::string> kSlices = {"db", "web"};
const std::vector<std::string> kOperations = {"o1", "o2", "o3"};

std::vector<SliverId> idsOf(const SliverSet& slivers) {
    std::vector<SliverId> ids;
    for (const Sliver* sliver : slivers) ids.push_back(sliver->id);
    return ids;
}

void expectSame(const Index& kept, const Index& anew) {
    for (const std::string& node : kNodes) {
        EXPECT_EQ(idsOf(kept.sliversAt(node)), idsOf(anew.sliversAt(node))) << node;
    }
    ASSERT_EQ(kept.uses().size(), anew.uses().size());
    for (size_t i = 0; i < kept.uses().size(); ++i) {
        const std::string& node = anew.uses()[i].node->name;
        EXPECT_EQ(kept.uses()[i].node->name, node);
        EXPECT_EQ(kept.uses()[i].use->slivers, anew.uses()[i].use->slivers) << node;
        EXPECT_EQ(kept.uses()[i].use->reserved_millis, anew.uses()[i].use->reserved_millis) << node;
    }
    EXPECT_EQ(idsOf(kept.moving()), idsOf(anew.moving()));
    EXPECT_EQ(kept.homeAgents(), anew.homeAgents());
    EXPECT_EQ(kept.formerHomeAgents(), anew.formerHomeAgents());
    EXPECT_EQ(kept.sliceNumbers(), anew.sliceNumbers());
    for (const std::string& slice : kSlices) {
        EXPECT_EQ(kept.sliversOf(slice), anew.sliversOf(slice)) << slice;
        EXPECT_EQ(kept.runningAbout(slice), anew.runningAbout(slice)) << slice;
    }
    for (const std::string& operation : kOperations) {
        EXPECT_EQ(idsOf(kept.placedBy(operation)), idsOf(anew.placedBy(operation))) << operation;
        EXPECT_EQ(kept.requested("request of " + operation), anew.requested("request of " + operation));
    }
    for (const OperationKind kind : {OperationKind::createSlice, OperationKind::drainNode}) {
        EXPECT_EQ(kept.running(kind), anew.running(kind)) << toString(kind);
    }
}

// Batches as random as they may be: rows come, change in all that the index looks at, and go.
class RandomBatches {
public:
    Changes next(const Snapshot& snapshot) {
        Changes changes;
        for (uint32_t i = 0; i < 1 + random_() % 3; ++i) addOne(snapshot, changes);
        return changes;
    }

private:
    template <typename T>
    const T& oneOf(const std::vector<T>& all) {
        return all[random_() % all.size()];
    }
    bool half() { return random_() % 2 == 0; }

    void addOne(const Snapshot& snapshot, Changes& changes) {
        switch (random_() % 6) {
            case 0:
                changes.put_slices.push_back(slice(oneOf(kSlices)));
                break;
            case 1:
                if (half()) changes.erase_slices.push_back(oneOf(kSlices));
                break;
            case 2:
                changes.put_operations.push_back(operation(oneOf(kOperations)));
                break;
            case 3:
                changes.erase_operations.push_back(oneOf(kOperations));
                break;
            case 4:
                if (!snapshot.slivers.empty()) changes.erase_slivers.push_back(snapshot.slivers.begin()->first);
                break;
            default:
                changes.put_slivers.push_back(sliver());
                changes.put_nodes.push_back(node());
                changes.put_enrolled_nodes.push_back({oneOf(kNodes), "", half(), half()});
                if (half()) changes.erase_enrolled_nodes.push_back(oneOf(kNodes));
        }
    }
    Node node() {
        Node node;
        node.name = oneOf(kNodes);
        node.home_agent = half();
        return node;
    }
    Slice slice(const std::string& name) {
        Slice slice;
        slice.name = name;
        slice.number = name == kSlices.front() ? 1 : 2;
        slice.base.resources.cpu_reservation_millis = static_cast<uint32_t>(100 * (random_() % 3));
        return slice;
    }
    Sliver sliver() {
        Sliver sliver;
        sliver.id = {oneOf(kSlices), static_cast<uint32_t>(1 + random_() % 4)};
        sliver.node = oneOf(kNodes);
        sliver.holders = {oneOf(kNodes), oneOf(kNodes)};
        if (half()) sliver.placed_by = oneOf(kOperations);
        if (half()) return sliver;
        sliver.move = {.phase = MovePhase::preparing,
                       .source = sliver.node,
                       .target = oneOf(kNodes),
                       .source_generation = 1,
                       .target_generation = 2,
                       .operation = oneOf(kOperations)};
        return sliver;
    }
    Operation operation(const std::string& id) {
        Operation operation;
        operation.id = id;
        operation.kind = half() ? OperationKind::createSlice : OperationKind::drainNode;
        operation.subject.slice = half() ? "" : oneOf(kSlices);
        operation.state = half() ? OperationState::running : OperationState::done;
        operation.request_id = "request of " + id;
        return operation;
    }

    std::mt19937 random_{7};
};

TEST(Index, KeptAlongIsAsMadeAnew) {
    Snapshot snapshot;
    Index kept(snapshot);
    RandomBatches batches;
    for (int i = 0; i < 3000 && !testing::Test::HasFailure(); ++i) {
        SCOPED_TRACE("batch " + std::to_string(i));
        kept.apply(batches.next(snapshot));
        expectSame(kept, Index(snapshot));
    }
    EXPECT_EQ(snapshot.revision, 3000U);
}

TEST(ChangeLog, TellsEachKeyOnceByItsLatestChange) {
    ChangeLog log(10);
    EXPECT_EQ(log.newest(), 10U);
    log.note("a", 11);
    log.note("b", 12);
    log.note("a", 13);
    EXPECT_EQ(log.newest(), 13U);
    EXPECT_EQ(log.since(10), (std::vector<std::string>{"b", "a"}));
    EXPECT_EQ(log.since(12), std::vector<std::string>{"a"});
    EXPECT_TRUE(log.since(13).empty());
    EXPECT_TRUE(log.reachesBackTo(10));
    EXPECT_FALSE(log.reachesBackTo(9));
}

TEST(ChangeLog, ForgetsTheOldestAndSaysSo) {
    ChangeLog log(0);
    for (uint64_t revision = 1; revision <= 60'000; ++revision) log.note(std::to_string(revision), revision);
    EXPECT_FALSE(log.reachesBackTo(1));
    EXPECT_TRUE(log.reachesBackTo(50'000));
    EXPECT_EQ(log.since(59'999), std::vector<std::string>{"60000"});
}

}  // namespace
}  // namespace homeslice::controller
