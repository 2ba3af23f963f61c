#include "noded/sliver/decision.h"

#include <gtest/gtest.h>

namespace homeslice::sliver {
namespace {

class DecisionTest : public testing::Test {
protected:
    DecisionTest() {
        desired_.id = {.slice = "web", .index = 1};
        desired_.generation = 1;
        desired_.base.image_digest = "sha256:a";
        record_.spec = desired_;
    }

    Step next(bool alive = false) const {
        return decide({.record = record_,
                       .desired = wanted_ ? &desired_ : nullptr,
                       .picture_known = picture_known_,
                       .alive = alive,
                       .unclean = unclean_,
                       .image_ready = image_ready_});
    }
    Step nextIn(State state, bool alive = false) {
        record_.state = state;
        return next(alive);
    }

    Record record_;
    SliverSpec desired_;
    bool wanted_ = true;
    bool picture_known_ = true;
    bool image_ready_ = false;
    bool unclean_ = false;
};

constexpr State kWithoutProcess[] = {State::pending, State::preparing, State::starting, State::stopped, State::failed};

TEST_F(DecisionTest, StartsWhatShouldRun) {
    for (const State state : kWithoutProcess) EXPECT_EQ(nextIn(state), Step::start) << toString(state);
    EXPECT_EQ(nextIn(State::running, true), Step::none);
}

TEST_F(DecisionTest, AnEndedCommandStaysEndedUntilSomethingElseIsDesired) {
    EXPECT_EQ(nextIn(State::running, false), Step::settle);
    EXPECT_EQ(nextIn(State::exited), Step::none);
    desired_.generation = 2;
    EXPECT_EQ(nextIn(State::exited), Step::start);
}

TEST_F(DecisionTest, AnEndedCommandIsNotRunAgainForNewLimitsOrAFreeze) {
    desired_.base.resources.pids = 64;
    EXPECT_EQ(nextIn(State::exited), Step::none);
    desired_.run = DesiredRun::frozen;
    EXPECT_EQ(nextIn(State::exited), Step::none);
    desired_.base.argv = {"other"};
    EXPECT_EQ(nextIn(State::exited), Step::start);
}

TEST_F(DecisionTest, CleansUpBeforeAnythingElse) {
    unclean_ = true;
    EXPECT_EQ(nextIn(State::exited), Step::clean_up);
    desired_.generation = 2;
    EXPECT_EQ(nextIn(State::exited), Step::clean_up);
    wanted_ = picture_known_ = false;
    EXPECT_EQ(nextIn(State::failed), Step::clean_up);
}

TEST_F(DecisionTest, StopsBeforeItRemoves) {
    wanted_ = false;
    EXPECT_EQ(nextIn(State::running, true), Step::request_stop);
    EXPECT_EQ(nextIn(State::stopping, true), Step::await_end);
    EXPECT_EQ(nextIn(State::stopping, false), Step::finish_stop);
    for (const State state : {State::stopped, State::exited, State::failed, State::pending, State::preparing}) {
        EXPECT_EQ(nextIn(state), Step::remove) << toString(state);
    }
}

TEST_F(DecisionTest, RemovesAndStopsNothingBeforeTheFirstPicture) {
    picture_known_ = false;
    wanted_ = false;
    EXPECT_EQ(nextIn(State::running, true), Step::none);
    for (const State state : kWithoutProcess) EXPECT_EQ(nextIn(state), Step::none) << toString(state);
    EXPECT_EQ(nextIn(State::running, false), Step::settle) << "what ended by itself is told at once";
    EXPECT_EQ(nextIn(State::stopping, true), Step::await_end) << "a stop that had begun goes on";
}

TEST_F(DecisionTest, ADeletionThatHadBegunIsEnded) { EXPECT_EQ(nextIn(State::deleting), Step::remove); }

TEST_F(DecisionTest, StoppedMeansKnownAndNotRunning) {
    desired_.run = DesiredRun::stopped;
    EXPECT_EQ(nextIn(State::running, true), Step::request_stop);
    EXPECT_EQ(nextIn(State::exited), Step::mark_stopped);
    record_.spec = desired_;
    EXPECT_EQ(nextIn(State::stopped), Step::none);
    desired_.generation = 5;
    EXPECT_EQ(nextIn(State::stopped), Step::mark_stopped) << "the new generation has to be reported";
}

TEST_F(DecisionTest, PreparedMeansTheImageAlone) {
    desired_.run = DesiredRun::prepared;
    record_.spec = desired_;
    EXPECT_EQ(nextIn(State::pending), Step::prepare_image);
    image_ready_ = true;
    EXPECT_EQ(nextIn(State::preparing), Step::none);
    EXPECT_EQ(nextIn(State::running, true), Step::request_stop);
}

TEST_F(DecisionTest, AGenerationAloneDoesNotRestart) {
    desired_.generation = 2;
    EXPECT_EQ(nextIn(State::running, true), Step::update);
    desired_.base.exposed.push_back({.protocol = 6, .port = 80});
    EXPECT_EQ(nextIn(State::running, true), Step::update);
}

TEST_F(DecisionTest, WhatCannotChangeUnderWayRestarts) {
    record_.state = State::running;
    const SliverSpec same = desired_;
    const auto restarts = [&](auto change) {
        desired_ = same;
        change(desired_);
        return next(true) == Step::request_stop;
    };
    EXPECT_TRUE(restarts([](SliverSpec& spec) { spec.base.image_digest = "sha256:b"; }));
    EXPECT_TRUE(restarts([](SliverSpec& spec) { spec.base.argv = {"other"}; }));
    EXPECT_TRUE(restarts([](SliverSpec& spec) { spec.base.env = {"A=1"}; }));
    EXPECT_TRUE(restarts([](SliverSpec& spec) { spec.base.volumes = {{.source = "/a", .target = "/a"}}; }));
    EXPECT_TRUE(restarts([](SliverSpec& spec) { spec.base.resources.disk_medium = DiskMedium::memory; }));
    EXPECT_FALSE(restarts([](SliverSpec& spec) { spec.base.resources.pids = 9; }));
    EXPECT_FALSE(restarts([](SliverSpec& spec) { spec.base.restart = RestartWhen::always; }));
    EXPECT_FALSE(restarts([](SliverSpec& spec) { spec.base.balance = Balance::round_robin; }));
    EXPECT_FALSE(restarts([](SliverSpec& spec) { spec.weight = 5; }));
    EXPECT_FALSE(restarts([](SliverSpec& spec) { spec.draining = true; }));
    EXPECT_TRUE(restarts([](SliverSpec& spec) { spec.home_address = Ipv6Address::parse("fd00::1").value(); }));
    EXPECT_TRUE(restarts([](SliverSpec& spec) { spec.slice_address = Ipv6Address::parse("fd00::1").value(); }));
}

TEST_F(DecisionTest, TheDiskComesFromWhereItRanLast) {
    EXPECT_FALSE(needsDisk(record_, desired_)) << "a first start";
    desired_.generation = 3;
    desired_.disk_source.emplace().generation = 2;
    EXPECT_TRUE(needsDisk(record_, desired_)) << "no disk here";
    record_.disk_generation = 1;
    EXPECT_TRUE(needsDisk(record_, desired_)) << "the disk here is stale";
    EXPECT_EQ(nextIn(State::running, true), Step::request_stop) << "so is what runs here";
    record_.disk_generation = 2;
    EXPECT_FALSE(needsDisk(record_, desired_)) << "it ran here under that generation: this is the source";
    record_.disk_generation = 3;
    EXPECT_FALSE(needsDisk(record_, desired_)) << "imported already";
}

TEST_F(DecisionTest, ABrokenRecordIsLeftAlone) {
    record_.broken = true;
    EXPECT_EQ(nextIn(State::failed), Step::none);
    wanted_ = picture_known_ = false;
    EXPECT_EQ(nextIn(State::failed), Step::none);
    picture_known_ = true;
    EXPECT_EQ(nextIn(State::failed), Step::remove) << "nobody wants it any more";
}

TEST_F(DecisionTest, FreezesWhatRunsAndThawsIt) {
    desired_.run = DesiredRun::frozen;
    EXPECT_EQ(nextIn(State::stopped), Step::start);
    EXPECT_EQ(nextIn(State::running, true), Step::freeze);
    EXPECT_EQ(nextIn(State::frozen, false), Step::settle) << "it was killed";
    record_.spec = desired_;
    EXPECT_EQ(nextIn(State::frozen, true), Step::none);
    desired_.base.resources.pids = 9;
    EXPECT_EQ(nextIn(State::frozen, true), Step::update);
    desired_.run = DesiredRun::running;
    EXPECT_EQ(nextIn(State::frozen, true), Step::thaw);
    desired_.run = DesiredRun::stopped;
    EXPECT_EQ(nextIn(State::frozen, true), Step::request_stop);
}

TEST_F(DecisionTest, RunsAgainWhatItsPolicySays) {
    struct Case {
        RestartWhen when;
        int exit_status;
        Step step;
    };
    for (const Case& each :
         {Case{RestartWhen::never, 1, Step::none}, Case{RestartWhen::on_failure, 0, Step::none},
          Case{RestartWhen::on_failure, 1, Step::start}, Case{RestartWhen::always, 0, Step::start}}) {
        desired_.base.restart = each.when;
        record_.spec = desired_;
        record_.exit_status = each.exit_status;
        EXPECT_EQ(nextIn(State::exited), each.step) << static_cast<int>(each.when) << " " << each.exit_status;
    }
}

}  // namespace
}  // namespace homeslice::sliver
