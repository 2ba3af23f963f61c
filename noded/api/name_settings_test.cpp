#include "noded/api/name_settings.h"

#include <gtest/gtest.h>

#include "base/status.h"
#include "homeslice/v1/node.pb.h"
#include "spec/wire/names.h"

namespace homeslice::api {
namespace {

NameTable tableOf(uint64_t serial, const std::string& slice) {
    return {.serial = serial,
            .domain = "slivers.internal",
            .home_prefix = Ipv6Prefix::parse("fd51:1ce::/48").value(),
            .slices = {{.slice = slice,
                        .address = Ipv6Address::parse("fd51:1ce:0:1::1").value(),
                        .owner = "alice",
                        .slivers = {}}}};
}

class NameSettingsTest : public testing::Test {
protected:
    // As noded after a restart.
    std::unique_ptr<NameSettings> settings() {
        return std::make_unique<NameSettings>(*service_, *store_, [this](const NameTable& table) { heard_ = table; });
    }

    std::unique_ptr<names::NameService> service_ = names::NameService::start({.name_servers = {}}).value();
    std::unique_ptr<store::KeyValueStore> store_ = store::makeMemoryStore();
    NameTable heard_;
};

TEST_F(NameSettingsTest, WhatWasToldLastIsThereAfterARestart) {
    EXPECT_TRUE(settings()->restore().ok());
    EXPECT_EQ(heard_, NameTable());
    ASSERT_TRUE(settings()->set(wire::toMessage(tableOf(1, "web"))).ok());
    ASSERT_TRUE(settings()->set(wire::toMessage(tableOf(2, "db"))).ok());
    heard_ = {};
    ASSERT_TRUE(settings()->restore().ok());
    EXPECT_EQ(heard_, tableOf(2, "db"));
}

TEST_F(NameSettingsTest, AMalformedTableChangesNothing) {
    const auto settings = this->settings();
    ASSERT_TRUE(settings->set(wire::toMessage(tableOf(1, "web"))).ok());
    v1::NameTable bad = wire::toMessage(tableOf(2, "db"));
    bad.set_domain("..");
    EXPECT_EQ(settings->set(bad).code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(heard_, tableOf(1, "web"));
}

TEST_F(NameSettingsTest, WhatCouldNotBeStoredIsTriedAgain) {
    const auto broken = store::makeFailingStore();
    NameSettings settings(*service_, *broken);
    EXPECT_FALSE(settings.set(wire::toMessage(tableOf(1, "web"))).ok());
    EXPECT_FALSE(settings.settle().ok());
}

}  // namespace
}  // namespace homeslice::api
