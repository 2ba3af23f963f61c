#include "ctl/commands/parse_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>

#include "base/file.h"
#include "base/status.h"

namespace homeslice::ctl {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

template <typename T>
void expectRefused(const absl::StatusOr<T>& result, const std::string& text) {
    ASSERT_FALSE(result.ok()) << "'" << text << "' was taken";
    EXPECT_THAT(messageOf(result.status()), Not(HasSubstr("\n")));
}

class ParseFiles : public ::testing::Test {
protected:
    ParseFiles() {
        char folder[] = "/tmp/hst-parse.XXXXXX";
        folder_ = ::mkdtemp(folder);
    }
    ~ParseFiles() override { static_cast<void>(removeTree(folder_)); }

    std::string write(const std::string& name, const std::string& content) {
        EXPECT_TRUE(replaceFile(folder_ + "/" + name, content).ok());
        return folder_ + "/" + name;
    }

    std::string folder_;
};

TEST(ParseBitRate, CountsInThousands) {
    EXPECT_EQ(*parseBitRate("--net-out", "9600"), 9600U);
    EXPECT_EQ(*parseBitRate("--net-out", "100M"), 100'000'000U);
    EXPECT_EQ(*parseBitRate("--net-out", "1G"), 1'000'000'000U);
    for (const char* bad : {"", "0", "-1M", "1.5M", "100MB", "100Mbit", "99999999999G"}) {
        expectRefused(parseBitRate("--net-out", bad), bad);
    }
}

TEST(ParseMillis, TakesOneUnit) {
    EXPECT_EQ(*parseMillis("--health-interval", "500ms"), milliseconds(500));
    EXPECT_EQ(*parseMillis("--health-interval", "2s"), milliseconds(2000));
    EXPECT_EQ(*parseMillis("--health-interval", "24h"), milliseconds(86'400'000));
    for (const char* bad : {"", "0s", "5", "25h", "1d", "-1s", "1s500ms"}) {
        expectRefused(parseMillis("--health-interval", bad), bad);
    }
}

TEST(ParseSignal, TakesNamesAndNumbers) {
    EXPECT_EQ(*parseSignal("--stop-signal", "TERM"), 15);
    EXPECT_EQ(*parseSignal("--stop-signal", "SIGQUIT"), 3);
    EXPECT_EQ(*parseSignal("--stop-signal", "15"), 15);
    EXPECT_EQ(*parseSignal("--stop-signal", "64"), 64);
    for (const char* bad : {"", "0", "65", "-1", "term", "SIG", "NONE"}) {
        expectRefused(parseSignal("--stop-signal", bad), bad);
    }
}

TEST(ParseChoices, TakeTheirWordsOnly) {
    EXPECT_EQ(*parseRestart("--restart", "on-failure"), RestartWhen::on_failure);
    EXPECT_EQ(*parseRestart("--restart", "always"), RestartWhen::always);
    expectRefused(parseRestart("--restart", "sometimes"), "sometimes");
    EXPECT_EQ(*parseDiskMedium("--disk-medium", "memory"), DiskMedium::memory);
    expectRefused(parseDiskMedium("--disk-medium", "tape"), "tape");
}

TEST(ParseVolume, TakesBothEndsAndTheAccess) {
    EXPECT_EQ(*parseVolume("--volume", "/srv:/data"), (Volume{"/srv", "/data", false}));
    EXPECT_EQ(*parseVolume("--volume", "/srv:/data:rw"), (Volume{"/srv", "/data", false}));
    EXPECT_EQ(*parseVolume("--volume", "/srv:/data:ro"), (Volume{"/srv", "/data", true}));
    for (const char* bad : {"", "/srv", "/srv:/data:rx", "/srv:/data:ro:ro"}) {
        expectRefused(parseVolume("--volume", bad), bad);
    }
}

TEST(ParseHost, TakesAnIpv6Address) {
    const HostEntry host = *parseHost("--host", "db.example=fd00::5");
    EXPECT_EQ(host.name, "db.example");
    EXPECT_EQ(host.address.toString(), "fd00::5");
    for (const char* bad : {"", "db", "db=", "=fd00::5", "db=192.0.2.1", "db=fd00::5/64"}) {
        expectRefused(parseHost("--host", bad), bad);
    }
}

TEST_F(ParseFiles, AFileIsReadHere) {
    const std::string content("\0\xff text", 7);
    const std::string local = write("note", content);
    EXPECT_EQ(*readFileOption("--file", local + ":/etc/note"), (File{"/etc/note", content, 0644}));
    EXPECT_EQ(*readFileOption("--file", local + ":/etc/note:0600"), (File{"/etc/note", content, 0600}));
    for (const std::string& bad : {std::string(), local, local + ":etc/note", local + ":/etc/note:",
                                   std::string(":/etc/note"), local + ":/etc/note:99", local + ":/etc/note:77777"}) {
        expectRefused(readFileOption("--file", bad), bad);
    }
}

TEST_F(ParseFiles, WhatIsNoSmallFileIsRefused) {
    const std::string large = write("large", std::string((size_t{1} << 20) + 1, 'x'));
    const std::string pipe = folder_ + "/pipe";
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    for (const std::string& bad : {large, pipe, folder_, std::string("/dev/zero"), folder_ + "/missing"}) {
        expectRefused(readFileOption("--file", bad + ":/etc/note"), bad);
    }
    EXPECT_THAT(messageOf(readFileOption("--file", folder_ + "/missing:/x").status()), HasSubstr("/missing"));
}

TEST_F(ParseFiles, AnEnvironmentHasCommentsAndBlankLines) {
    const std::string path = write("env", "# comment\nMODE=test\n\nEMPTY=\nWORDS=two words\n");
    EXPECT_THAT(*readEnvironment("--env-file", path), ElementsAre("MODE=test", "EMPTY=", "WORDS=two words"));
    EXPECT_THAT(messageOf(readEnvironment("--env-file", write("bad", "MODE=test\nWHAT\n")).status()),
                HasSubstr("line 'WHAT' is not valid: use NAME=value"));
}

}  // namespace
}  // namespace homeslice::ctl
