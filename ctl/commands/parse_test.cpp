#include "ctl/commands/parse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include "base/status.h"

namespace homeslice::ctl {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

template <typename T>
void expectRefused(const absl::StatusOr<T>& result, const std::string& text) {
    ASSERT_FALSE(result.ok()) << "'" << text << "' was taken";
    EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(messageOf(result.status()), Not(HasSubstr("\n")));
    EXPECT_THAT(messageOf(result.status()), HasSubstr("use "));
}

TEST(ParseSize, TakesBinaryUnits) {
    EXPECT_EQ(*parseSize("--memory", "1"), 1u);
    EXPECT_EQ(*parseSize("--memory", "4096"), 4096u);
    EXPECT_EQ(*parseSize("--memory", "64k"), 64u << 10);
    EXPECT_EQ(*parseSize("--memory", "512M"), 512u << 20);
    EXPECT_EQ(*parseSize("--memory", "512MB"), 512u << 20);
    EXPECT_EQ(*parseSize("--memory", "2G"), 2ULL << 30);
    EXPECT_EQ(*parseSize("--memory", "1GiB"), 1ULL << 30);
    EXPECT_EQ(*parseSize("--memory", "3T"), 3ULL << 40);
}

TEST(ParseSize, RefusesTheRest) {
    for (const char* bad : {"", "0", "0M", "-1", "+1", "M", "1.5G", "1 G", " 1G", "1GG", "1iB", "1MiBB", "1X", "0x10",
                            "9223372036854775808", "99999999999999999999", "9000000T"}) {
        expectRefused(parseSize("--memory", bad), bad);
    }
}

TEST(ParseSize, SaysWhatIsWrong) {
    EXPECT_EQ(messageOf(parseSize("--memory", "-1").status()),
              "--memory '-1' is not valid: use a whole number above 0 with K, M, G or T, such as 512M or 2G");
}

TEST(ParseDuration, TakesOneUnit) {
    EXPECT_EQ(*parseDuration("--lease", "90s"), seconds(90));
    EXPECT_EQ(*parseDuration("--lease", "5m"), seconds(300));
    EXPECT_EQ(*parseDuration("--lease", "2h"), seconds(7200));
    EXPECT_EQ(*parseDuration("--lease", "7d"), seconds(604800));
    EXPECT_EQ(*parseDuration("--lease", "4294967295s"), seconds(4294967295));
}

TEST(ParseDuration, RefusesTheRest) {
    for (const char* bad :
         {"", "0", "0s", "5", "-5m", "5w", "5mm", "m", "1h30m", "1.5h", "4294967296s", "99999999999d", "5 m"}) {
        expectRefused(parseDuration("--lease", bad), bad);
    }
}

TEST(ParseCpus, TakesThousandths) {
    EXPECT_EQ(*parseCpus("--cpus", "2"), 2000u);
    EXPECT_EQ(*parseCpus("--cpus", "1.5"), 1500u);
    EXPECT_EQ(*parseCpus("--cpus", "0.001"), 1u);
    EXPECT_EQ(*parseCpus("--cpus", "10000"), 10000000u);
}

TEST(ParseCpus, RefusesTheRest) {
    for (const char* bad : {"", "0", "0.0", "-1", "1.", ".5", "1.2345", "1e3", "10000.001", "100000", "1,5", "two"}) {
        expectRefused(parseCpus("--cpus", bad), bad);
    }
}

TEST(ParseCount, HasBounds) {
    EXPECT_EQ(*parseCount("--pids", "1", 65535), 1u);
    EXPECT_EQ(*parseCount("--pids", "65535", 65535), 65535u);
    for (const char* bad : {"", "0", "-1", "65536", "1x", "1.0", "99999999999999999999"}) {
        expectRefused(parseCount("--pids", bad, 65535), bad);
    }
}

TEST(ParsePorts, TakesListsAndRepetition) {
    const std::vector<PortSpec> expected{{IPPROTO_TCP, 80}, {IPPROTO_TCP, 443}, {IPPROTO_UDP, 53}};
    EXPECT_EQ(*parsePorts("--expose", {"80/tcp,443", "53/udp"}), expected);
    EXPECT_TRUE(parsePorts("--expose", {})->empty());
}

TEST(ParsePorts, RefusesTheRest) {
    for (const char* bad : {"", "0", "-80", "65536", "80/", "80/sctp", "80/TCP", "/tcp", "80/tcp/udp", "80,", ",80"}) {
        expectRefused(parsePorts("--expose", {bad}), bad);
    }
    EXPECT_EQ(messageOf(parsePorts("--expose", {"80,80/tcp"}).status()), "--expose names '80/tcp' twice");
}

TEST(ParseNames, ChecksEach) {
    EXPECT_EQ(*parseNames("--on", "n1,n2"), (std::vector<std::string>{"n1", "n2"}));
    for (const char* bad : {"", "n1,", "n1,,n2", "N1", "n1,n1", "n1, n2"}) {
        EXPECT_FALSE(parseNames("--on", bad).ok()) << bad;
    }
}

TEST(ParseSliverRef, TakesSliceAndIndex) {
    EXPECT_EQ(*parseSliverRef("web"), (SliverRef{"web", std::nullopt}));
    EXPECT_EQ(*parseSliverRef("web/2"), (SliverRef{"web", 2}));
    EXPECT_EQ(*parseOneSliver("web/65535"), (SliverRef{"web", 65535}));
}

TEST(ParseSliverRef, RefusesTheRest) {
    for (const char* bad : {"web/", "web/0", "web/-1", "web/65536", "web/1/2", "web/x"}) {
        expectRefused(parseSliverRef(bad), bad);
    }
    EXPECT_FALSE(parseSliverRef("").ok());
    EXPECT_FALSE(parseSliverRef("Web/1").ok());
    EXPECT_EQ(messageOf(parseOneSliver("web").status()), "sliver 'web' is not valid: use SLICE/INDEX, such as web/1");
}

}  // namespace
}  // namespace homeslice::ctl
