#include "ctl/commands/cri_log.h"

#include <gtest/gtest.h>

namespace homeslice::ctl {
namespace {

constexpr const char* kTime = "2026-01-02T03:04:05.678901234Z";

std::string textOf(const std::string& log, bool timestamps = false, size_t piece = 7) {
    std::string text;
    CriLogReader reader(timestamps, [&](const std::string& part) { text += part; });
    for (size_t at = 0; at < log.size(); at += piece) reader.feed(log.substr(at, piece));
    reader.finish();
    return text;
}

std::string line(const std::string& rest) { return std::string(kTime) + " " + rest + "\n"; }

TEST(CriLog, DropsThePrefix) {
    EXPECT_EQ(textOf(line("stdout F hello world") + line("stderr F  oops") + line("stdout F ")),
              "hello world\n oops\n\n");
}

TEST(CriLog, KeepsTimesOnRequest) { EXPECT_EQ(textOf(line("stdout F hello"), true), std::string(kTime) + " hello\n"); }

TEST(CriLog, JoinsParts) {
    const std::string log = line("stdout P one ") + line("stdout P two ") + line("stdout F three");
    EXPECT_EQ(textOf(log), "one two three\n");
    EXPECT_EQ(textOf(log, true), std::string(kTime) + " one two three\n");
    EXPECT_EQ(textOf(line("stdout P cut off")), "cut off\n");
}

TEST(CriLog, NeverJoinsTwoStreams) {
    EXPECT_EQ(textOf(line("stdout P out ") + line("stderr F err") + line("stdout F more")), "out \nerr\nmore\n");
}

TEST(CriLog, PassesWhatIsNotOfTheFormat) {
    for (const char* odd : {"plain", "", "a stdout X text", "a stdlog F text", "a stdout F", " "}) {
        EXPECT_EQ(textOf(std::string(odd) + "\n"), std::string(odd) + "\n");
    }
    EXPECT_EQ(textOf(line("stdout F whole") + "no newline"), "whole\nno newline\n");
}

}  // namespace
}  // namespace homeslice::ctl
