#include "noded/sliver/state.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace homeslice::sliver {
namespace {

const std::map<State, std::set<State>> kExpected = {
    {State::pending, {State::preparing, State::stopped, State::failed, State::deleting}},
    {State::preparing, {State::starting, State::pending, State::stopped, State::failed, State::deleting}},
    {State::starting, {State::running, State::pending, State::failed}},
    {State::running, {State::frozen, State::stopping, State::exited, State::failed}},
    {State::frozen, {State::running, State::stopping, State::exited, State::failed}},
    {State::stopping, {State::stopped}},
    {State::stopped, {State::preparing, State::failed, State::deleting}},
    {State::exited, {State::preparing, State::stopped, State::deleting}},
    {State::failed, {State::preparing, State::stopped, State::deleting}},
    {State::deleting, {}},
};

TEST(State, EveryPairIsAsTheTableSays) {
    for (const State from : kSliverStates) {
        for (const State to : kSliverStates) {
            EXPECT_EQ(checkTransition(from, to).ok(), kExpected.at(from).contains(to))
                << toString(from) << " -> " << toString(to);
        }
    }
}

TEST(State, ARefusedTransitionNamesBothEnds) {
    const std::string text = checkTransition(State::stopped, State::running).ToString();
    EXPECT_NE(text.find("stopped"), std::string::npos);
    EXPECT_NE(text.find("running"), std::string::npos);
}

TEST(State, NamesAreReadBack) {
    for (const State state : kSliverStates) EXPECT_EQ(parseSliverState(toString(state)).value(), state);
    EXPECT_EQ(parseSliverState("flying").status().code(), absl::StatusCode::kInvalidArgument);
}

// A running sliver's processes are never lost sight of: every way from running to its end passes a state that cleans
// up.
TEST(State, NothingIsDeletedWhileItRuns) {
    for (const State state : {State::starting, State::running, State::frozen, State::stopping}) {
        EXPECT_FALSE(checkTransition(state, State::deleting).ok());
    }
}

}  // namespace
}  // namespace homeslice::sliver
