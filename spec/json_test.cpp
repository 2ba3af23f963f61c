#include "spec/json.h"

#include <gtest/gtest.h>

#include "spec/test_values.h"

namespace homeslice {
namespace {

TEST(SliverSpec, SurvivesItsRecord) {
    SliverSpec spec = fullSpec();
    EXPECT_EQ(parseSliverSpec(toJson(spec)).value(), spec);
    spec.disk_source.reset();
    EXPECT_EQ(parseSliverSpec(toJson(spec)).value(), spec);
    EXPECT_EQ(parseSliverTemplate(toJson(spec.base)).value(), spec.base);
}

TEST(SliverSpec, WhatAnEarlierVersionDidNotWriteHasItsDefault) {
    const auto base = parseSliverTemplate(R"({"image": "debian", "image_digest": "sha256:00"})");
    ASSERT_TRUE(base.ok()) << base.status();
    SliverTemplate expected;
    expected.image = "debian";
    expected.image_digest = "sha256:00";
    EXPECT_EQ(base.value(), expected);
}

TEST(SliverSpec, RefusesBrokenRecords) {
    const std::string good = toJson(fullSpec());
    for (size_t length = 0; length < good.size(); ++length) {
        EXPECT_FALSE(parseSliverSpec(good.substr(0, length)).ok()) << good.substr(0, length);
    }
    EXPECT_FALSE(parseSliverSpec("[]").ok());
    EXPECT_FALSE(parseSliverSpec("{\"slice\": 1}").ok());
}

TEST(SliverId, Texts) {
    EXPECT_EQ(fullSpec().id.toString(), "web/2");
    EXPECT_EQ(fullSpec().id.fileName(), "web.2");
}

}  // namespace
}  // namespace homeslice
