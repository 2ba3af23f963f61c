#include "ctl/commands/parse_time.h"

#include <gtest/gtest.h>

namespace homeslice::ctl {
namespace {

constexpr int64_t kNowUs = 1'767'323'045'000'000;  // 2026-01-02T03:04:05Z

int64_t parsed(const std::string& text) {
    const auto time = parseTime("--since", text, fromUnixMicros(kNowUs));
    return time.ok() ? toUnixMicros(*time) : -1;
}

TEST(ParseTime, Rfc3339) {
    EXPECT_EQ(parsed("2026-01-02T03:04:05Z"), kNowUs);
    EXPECT_EQ(parsed("2026-01-02t03:04:05z"), kNowUs);
    EXPECT_EQ(parsed("2026-01-02 05:34:05+02:30"), kNowUs);
    EXPECT_EQ(parsed("2026-01-01T22:04:05-05:00"), kNowUs);
    EXPECT_EQ(parsed("2026-01-02T03:04:05.25Z"), kNowUs + 250'000);
    EXPECT_EQ(parsed("2026-01-02T03:04:05.678901234Z"), kNowUs + 678'901);
    EXPECT_EQ(parsed("2024-02-29T00:00:00Z"), 1'709'164'800'000'000);
}

TEST(ParseTime, HowLongAgo) {
    EXPECT_EQ(parsed("10m"), kNowUs - 600'000'000);
    EXPECT_EQ(parsed("2h"), kNowUs - 7'200'000'000);
}

TEST(ParseTime, RefusesTheRest) {
    for (const char* text : {"", "yesterday", "10", "-5m", "2026-01-02", "2026-01-02T03:04:05", "2026-13-01T00:00:00Z",
                             "2026-02-29T00:00:00Z", "2026-01-02T24:00:00Z", "2026-01-02T03:04:05.Z",
                             "2026-01-02T03:04:05Zx", "2026-01-02T03:04:05+0200", "26-01-02T03:04:05Z"}) {
        EXPECT_EQ(parsed(text), -1) << text;
    }
    const auto refused = parseTime("--since", "noon", fromUnixMicros(kNowUs));
    EXPECT_NE(std::string(refused.status().message().data(), refused.status().message().size()).find("--since 'noon'"),
              std::string::npos);
}

}  // namespace
}  // namespace homeslice::ctl
