#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "ctl/commands/fake_controller.h"

namespace homeslice::ctl {
namespace {

using ::testing::HasSubstr;

class Logs : public ::testing::Test {
protected:
    Logs() {
        for (uint32_t i = 1; i <= 2; ++i) controller_.addSliver("web", i, "node1");
        controller_.log = "2026-01-02T03:04:05.678901234Z stdout F hello\n";
    }

    FakeController controller_;
};

TEST_F(Logs, AskForWhatWasAskedFor) {
    const int64_t before = toUnixMicros(Utc::now());
    EXPECT_EQ(slicectl(controller_, {"logs", "web/2", "-f", "--since", "10m", "--tail", "5"}).out, "hello\n");
    ASSERT_EQ(controller_.logs_requests.size(), 1U);
    const v1::LogsRequest& request = controller_.logs_requests[0];
    EXPECT_EQ(request.sliver().index(), 2U);
    EXPECT_TRUE(request.follow());
    EXPECT_EQ(request.tail(), 5U);
    EXPECT_GE(request.since_us(), before - 600'000'000);
    EXPECT_LT(request.since_us(), before - 500'000'000);
}

TEST_F(Logs, OfASliceAreLabelled) {
    for (const char* follow : {"--tail=9", "--follow"}) {
        const Outcome outcome = slicectl(controller_, {"logs", "web", follow, "--timestamps"});
        EXPECT_EQ(outcome.exit_status, 0);
        EXPECT_THAT(outcome.out, HasSubstr("web/1 | 2026-01-02T03:04:05.678901234Z hello\n"));
        EXPECT_THAT(outcome.out, HasSubstr("web/2 | 2026-01-02T03:04:05.678901234Z hello\n"));
    }
}

TEST_F(Logs, RefusalHasAStatusByItsCode) {
    controller_.refusal = grpc::Status(grpc::StatusCode::FAILED_PRECONDITION, "web/1 has no log");
    const Outcome outcome = slicectl(controller_, {"logs", "web/1"});
    EXPECT_EQ(outcome.exit_status, 4);
    EXPECT_EQ(outcome.err, "slicectl: web/1 has no log\n");
}

TEST_F(Logs, RefuseMalformedOptions) {
    EXPECT_THAT(slicectl(controller_, {"logs", "web/1", "--since", "noon"}).err, HasSubstr("--since 'noon'"));
    EXPECT_THAT(slicectl(controller_, {"logs", "web/1", "--tail", "0"}).err, HasSubstr("--tail '0'"));
}

}  // namespace
}  // namespace homeslice::ctl
