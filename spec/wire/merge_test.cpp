#include "spec/wire/merge.h"

#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <string>

namespace homeslice::wire {
namespace {

// What a node makes of it: generations by sliver, enrolments by node.
struct Content {
    uint64_t revision = 0;
    std::map<uint32_t, uint64_t> slivers;
    std::map<std::string, std::string> nodes;

    bool operator==(const Content&) const = default;
};

Content contentOf(v1::DesiredState state) {
    Content content;
    EXPECT_TRUE(foldNodeLists(state).ok());
    EXPECT_EQ(state.node_lists_size(), 0);
    content.revision = state.revision();
    for (const auto& sliver : state.slivers()) content.slivers[sliver.sliver().index()] = sliver.generation();
    for (const auto& node : state.nodes()) content.nodes[node.name()] = node.enrolment();
    EXPECT_EQ(content.slivers.size(), static_cast<size_t>(state.slivers_size())) << "a sliver is listed twice";
    EXPECT_EQ(content.nodes.size(), static_cast<size_t>(state.nodes_size())) << "a node is listed twice";
    return content;
}

void addSliver(v1::DesiredState& state, uint32_t index, uint64_t generation) {
    v1::DesiredSliver& sliver = *state.add_slivers();
    sliver.mutable_sliver()->set_slice("web");
    sliver.mutable_sliver()->set_index(index);
    sliver.set_generation(generation);
}

// How to come from one content to the other.
v1::DesiredState changeOf(const Content& from, const Content& to) {
    v1::DesiredState change;
    change.set_since(from.revision);
    change.set_revision(to.revision);
    for (const auto& [index, generation] : to.slivers) {
        const auto before = from.slivers.find(index);
        if (before == from.slivers.end() || before->second != generation) addSliver(change, index, generation);
    }
    for (const auto& [index, generation] : from.slivers) {
        if (to.slivers.contains(index)) continue;
        change.add_gone()->set_slice("web");
        change.mutable_gone()->rbegin()->set_index(index);
    }
    v1::NodeList list;
    for (const auto& [name, enrolment] : to.nodes) {
        const auto before = from.nodes.find(name);
        if (before != from.nodes.end() && before->second == enrolment) continue;
        list.add_nodes()->set_name(name);
        list.mutable_nodes()->rbegin()->set_enrolment(enrolment);
    }
    for (const auto& [name, enrolment] : from.nodes) {
        if (!to.nodes.contains(name)) list.add_gone(name);
    }
    *change.add_node_lists() = list.SerializeAsString();
    return change;
}

Content randomContent(uint64_t revision, std::mt19937& random) {
    Content content{.revision = revision, .slivers = {}, .nodes = {}};
    for (uint32_t index = 1; index <= 6; ++index) {
        if (random() % 2 == 0) content.slivers[index] = 1 + random() % 3;
        if (random() % 2 == 0) content.nodes["node" + std::to_string(index)] = std::to_string(random() % 2);
    }
    return content;
}

TEST(Merge, ChangesOneByOneAndAllInOneMakeTheSameWhole) {
    std::mt19937 random(1);
    for (int round = 0; round < 200; ++round) {
        Content present = randomContent(1, random);
        v1::DesiredState whole = changeOf({}, present);
        whole.set_since(0);
        v1::DesiredState one_by_one = whole;
        v1::DesiredState unsent;
        for (uint64_t revision = 2; revision <= 6; ++revision) {
            const Content next = randomContent(revision, random);
            const v1::DesiredState change = changeOf(present, next);
            merge(one_by_one, change);
            if (revision == 2) {
                unsent = change;
            } else {
                merge(unsent, change);
            }
            present = next;
            EXPECT_EQ(contentOf(one_by_one), present);
        }
        EXPECT_EQ(unsent.since(), 1U);
        v1::DesiredState all_in_one = whole;
        merge(all_in_one, unsent);
        EXPECT_EQ(contentOf(all_in_one), present);
        EXPECT_EQ(all_in_one.gone_size(), 0) << "a whole says nothing of what is gone";
    }
}

TEST(Merge, AWholeReplacesWhatWasThere) {
    v1::DesiredState base;
    base.set_revision(7);
    addSliver(base, 1, 1);
    v1::DesiredState whole;
    whole.set_revision(3);
    addSliver(whole, 2, 1);
    merge(base, whole);
    EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(base, whole));
}

TEST(Merge, AListOfNodesThatCannotBeReadIsRefused) {
    v1::NodeList list;
    list.add_nodes()->set_name("node1");
    v1::DesiredState whole;
    *whole.add_node_lists() = list.SerializeAsString();
    *whole.add_node_lists() = "\xff";
    EXPECT_EQ(foldNodeLists(whole).code(), absl::StatusCode::kInvalidArgument);
    ASSERT_EQ(whole.nodes_size(), 1);
    EXPECT_EQ(whole.nodes(0).name(), "node1");
}

TEST(Merge, NamesComeAndGo) {
    v1::NameTable table;
    table.set_serial(1);
    for (const char* name : {"db", "web"}) table.add_slices()->set_slice(name);
    v1::NameTable change;
    change.set_since(1);
    change.set_serial(2);
    change.add_gone("db");
    change.add_slices()->set_slice("web");
    change.mutable_slices(0)->set_owner("alice");
    merge(table, change);
    ASSERT_EQ(table.slices_size(), 1);
    EXPECT_EQ(table.slices(0).owner(), "alice");
    EXPECT_EQ(table.serial(), 2U);
    EXPECT_EQ(table.since(), 0U);
}

}  // namespace
}  // namespace homeslice::wire
