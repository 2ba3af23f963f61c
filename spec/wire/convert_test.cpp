#include "spec/wire/convert.h"

#include <gtest/gtest.h>

#include "spec/test_values.h"

namespace homeslice::wire {
namespace {

TEST(Wire, SpecSurvivesTheWire) {
    SliverSpec spec = fullSpec();
    EXPECT_EQ(specOf(toMessage(spec)).value(), spec);
    spec.disk_source.reset();
    EXPECT_EQ(specOf(toMessage(spec)).value(), spec);
}

TEST(Wire, WhatIsAbsentHasItsDefault) {
    v1::SliverTemplate message;
    message.set_image("debian");
    SliverTemplate expected;
    expected.image = "debian";
    EXPECT_EQ(templateOf(message).value(), expected);
}

TEST(Wire, AChangeTouchesOnlyWhatIsPresent) {
    v1::Resources change;
    change.set_pids(0);
    change.set_memory_bytes(uint64_t{1} << 41);
    Resources expected = fullResources();
    expected.pids = 0;
    expected.memory_bytes = uint64_t{1} << 41;
    EXPECT_EQ(changed(fullResources(), change).value(), expected);
}

TEST(Wire, RefusesWhatIsMalformed) {
    v1::DesiredSliver no_digest = toMessage(fullSpec());
    no_digest.mutable_base()->clear_image_digest();
    EXPECT_FALSE(specOf(no_digest).ok());
    v1::DesiredSliver no_run = toMessage(fullSpec());
    no_run.clear_run();
    EXPECT_FALSE(specOf(no_run).ok());
    v1::DesiredSliver multicast = toMessage(fullSpec());
    multicast.set_home_address(Ipv6Address::parse("ff02::1").value().toBytes());
    EXPECT_FALSE(specOf(multicast).ok());
    v1::SliverId no_index;
    no_index.set_slice("web");
    EXPECT_FALSE(sliverIdOf(no_index).ok());
}

TEST(Wire, EveryStateHasANumberOfItsOwn) {
    for (const SliverState state : kSliverStates) EXPECT_EQ(stateOf(toMessage(state)), state);
    for (const Health health : {Health::none, Health::starting, Health::healthy, Health::unhealthy}) {
        EXPECT_EQ(healthOf(toMessage(health)), health);
    }
}

}  // namespace
}  // namespace homeslice::wire
