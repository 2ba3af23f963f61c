#include "noded/audit/flow_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/file.h"
#include "base/status.h"

namespace homeslice::audit {
namespace {

constexpr int64_t kSecond = 1'000'000;
constexpr int64_t kNow = 1'700'000'000 * kSecond;

Ipv6Address address(const std::string& text) { return Ipv6Address::parse(text).value(); }

const Ipv6Address kWeb1 = address("fd51:1ce:0:1::1:1");
const Ipv6Address kDb1 = address("fd51:1ce:0:2::1:1");
const Ipv6Address kPeer = address("2001:db8::7");

Flow flow(const std::string& slice, int64_t first_s, int64_t last_s, uint16_t port = 40000) {
    return {.owner = {.sliver = {slice, 1}, .user = "alice"},
            .home_address = slice == "web" ? kWeb1 : kDb1,
            .protocol = 6,
            .source = slice == "web" ? kWeb1 : kDb1,
            .source_port = port,
            .destination = kPeer,
            .destination_port = 22,
            .first_us = kNow + first_s * kSecond,
            .last_us = kNow + last_s * kSecond,
            .packets = 3,
            .bytes = 300};
}

// What a sliver sent beyond its quota.
Flow many(const std::string& slice, int64_t first_s, int64_t last_s) {
    Flow result = flow(slice, first_s, last_s, 0);
    result.source = result.destination = Ipv6Address();
    result.destination_port = 0;
    return result;
}

FlowQuestion at(int64_t from_s, int64_t until_s) {
    return {.from_us = kNow + from_s * kSecond, .until_us = kNow + until_s * kSecond};
}

class FlowLogTest : public testing::Test {
protected:
    void SetUp() override {
        directory_ = testing::TempDir() + "hst-flows-XXXXXX";
        ASSERT_NE(::mkdtemp(directory_.data()), nullptr);
        open();
    }
    void TearDown() override { EXPECT_TRUE(removeTree(directory_).ok()); }
    void open() {
        auto opened = FlowLog::open(directory_ + "/flows.db");
        ASSERT_TRUE(opened.ok()) << messageOf(opened.status());
        log_.emplace(std::move(opened).value());
    }
    std::vector<Flow> find(const FlowQuestion& question) {
        auto found = log_->find(question);
        EXPECT_TRUE(found.ok()) << messageOf(found.status());
        return found.ok() ? found->flows : std::vector<Flow>();
    }

    std::string directory_;
    std::optional<FlowLog> log_;
};

TEST_F(FlowLogTest, AnswersWhoItWasAtATime) {
    const Flow early = flow("web", 0, 10);
    const Flow late = flow("db", 100, 110);
    ASSERT_TRUE(log_->put({early, late}).ok());
    EXPECT_EQ(find(at(5, 6)), std::vector<Flow>{early});
    EXPECT_EQ(find(at(105, 200)), std::vector<Flow>{late});
    EXPECT_TRUE(find(at(11, 99)).empty());
    EXPECT_EQ(find(at(0, 200)), (std::vector<Flow>{late, early})) << "newest first";
}

TEST_F(FlowLogTest, AFlowThatGoesOnIsOneRow) {
    ASSERT_TRUE(log_->put({flow("web", 0, 5)}).ok());
    Flow longer = flow("web", 0, 60);
    longer.packets = 1000;
    ASSERT_TRUE(log_->put({longer}).ok());
    EXPECT_EQ(find(at(0, 100)), std::vector<Flow>{longer});
}

TEST_F(FlowLogTest, EveryWordOfAQuestionCounts) {
    Flow from_slice = flow("web", 0, 10, 50000);
    from_slice.source = address("fd51:1ce:0:1::1");
    from_slice.destination_port = 443;
    ASSERT_TRUE(log_->put({flow("web", 0, 10), flow("db", 0, 10), from_slice}).ok());
    const auto count = [&](const std::function<void(FlowQuestion&)>& ask) {
        FlowQuestion question = at(0, 10);
        ask(question);
        return find(question).size();
    };
    EXPECT_EQ(count([](auto&) {}), 3U);
    EXPECT_EQ(count([](auto& question) { question.address = kWeb1; }), 2U) << "also what it sent as its slice";
    EXPECT_EQ(count([&](auto& question) { question.address = from_slice.source; }), 1U);
    EXPECT_EQ(count([](auto& question) { question.port = 50000; }), 1U);
    EXPECT_EQ(count([](auto& question) { question.peer_port = 22; }), 2U);
    EXPECT_EQ(count([](auto& question) { question.peer = kPeer; }), 3U);
    EXPECT_EQ(count([](auto& question) { question.peer = kWeb1; }), 0U);
}

TEST_F(FlowLogTest, ManyFlowsTogetherMayHaveBeenAnyOfThem) {
    ASSERT_TRUE(log_->put({many("db", 0, 10)}).ok());
    FlowQuestion question = at(0, 10);
    question.peer = kPeer;
    question.port = 1;
    question.peer_port = 22;
    EXPECT_EQ(find(question), std::vector<Flow>{many("db", 0, 10)});
}

TEST_F(FlowLogTest, SaysWhenThereIsMore) {
    std::vector<Flow> flows;
    for (uint16_t i = 0; i < 10; ++i) flows.push_back(flow("web", 0, i, static_cast<uint16_t>(1000 + i)));
    ASSERT_TRUE(log_->put(flows).ok());
    FlowQuestion question = at(0, 10);
    question.most = 3;
    const auto found = log_->find(question);
    ASSERT_TRUE(found.ok());
    EXPECT_TRUE(found->truncated);
    ASSERT_EQ(found->flows.size(), 3U);
    EXPECT_EQ(found->flows[0], flows[9]);
    question.most = 10;
    EXPECT_FALSE(log_->find(question)->truncated);
}

TEST_F(FlowLogTest, WhatIsOldGoesAndNoSliceCrowdsOutAnothers) {
    ASSERT_TRUE(log_->put({flow("web", 0, 10), flow("web", 1000, 1010)}).ok());
    ASSERT_TRUE(log_->trim(kNow + 500 * kSecond).ok());
    EXPECT_EQ(find(at(0, 2000)), std::vector<Flow>{flow("web", 1000, 1010)});
    std::vector<Flow> flood;
    for (int64_t i = 0; i < 100; ++i) flood.push_back(flow("db", 2000 + i, 2000 + i));
    ASSERT_TRUE(log_->put(flood).ok());
    ASSERT_TRUE(log_->trim(0, 20).ok());
    const auto left = find(at(0, 5000));
    EXPECT_EQ(left.size(), 21U);
    EXPECT_EQ(left.back(), flow("web", 1000, 1010));
    EXPECT_EQ(left.front(), flood.back());
}

TEST_F(FlowLogTest, IsThereAfterARestart) {
    ASSERT_TRUE(log_->put({flow("web", 0, 10)}).ok());
    log_.reset();
    open();
    EXPECT_EQ(find(at(0, 10)), std::vector<Flow>{flow("web", 0, 10)});
}

}  // namespace
}  // namespace homeslice::audit
