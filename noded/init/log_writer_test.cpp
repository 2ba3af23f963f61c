#include "noded/init/log_writer.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <memory>
#include <string>

#include "base/file.h"

namespace homeslice::init {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

class LogWriterTest : public ::testing::Test {
protected:
    void SetUp() override {
        ASSERT_NE(::mkdtemp(directory_.data()), nullptr);
        auto fd = openFile(directory_, O_PATH | O_DIRECTORY);
        ASSERT_TRUE(fd.ok());
        fd_ = std::move(*fd);
    }
    void TearDown() override { EXPECT_TRUE(removeTree(directory_).ok()); }

    std::unique_ptr<LogWriter> open(const LogLimits& limits = {}) {
        auto log = std::make_unique<LogWriter>(fd_.get());
        log->keepWithin(limits);
        return log;
    }
    void write(LogWriter& log, Stream stream, const std::string& text) { log.write(stream, text.data(), text.size()); }
    std::string content(const char* name) { return readFile(directory_ + "/" + name).value_or("(none)"); }

    std::string directory_ = ::testing::TempDir() + "hs-log-XXXXXX";
    UniqueFd fd_;
};

constexpr char kStamp[] = "2[0-9]*-[0-9]*-[0-9]*T[0-9]*:[0-9]*:[0-9]*.[0-9]*Z ";

TEST_F(LogWriterTest, ALineARecord) {
    const auto log = open();
    write(*log, Stream::out, "hel");
    write(*log, Stream::err, "oops\n");
    write(*log, Stream::out, "lo\n\nworld");
    log->finish(Stream::out);
    const std::string stamp = kStamp;
    EXPECT_THAT(content(kLogFile), MatchesRegex(stamp + "stderr F oops\n" + stamp + "stdout F hello\n" + stamp +
                                                "stdout F \n" + stamp + "stdout P world\n"));
}

TEST_F(LogWriterTest, LongLinesComeInParts) {
    const auto log = open();
    write(*log, Stream::out, std::string(kMaxLogText + 10, 'x') + "\n");
    EXPECT_THAT(content(kLogFile),
                MatchesRegex(std::string(kStamp) + "stdout P x*\n" + kStamp + "stdout F xxxxxxxxxx\n"));
}

TEST_F(LogWriterTest, KeepsTheFilesBefore) {
    const auto log = open(LogLimits{.max_bytes = 100, .files = 3});
    for (const char* line : {"one\n", "two\n", "three\n", "four\n", "five\n"}) write(*log, Stream::out, line);
    EXPECT_THAT(content("log"), MatchesRegex(std::string(kStamp) + "stdout F five\n"));
    EXPECT_THAT(content("log.1"), MatchesRegex(std::string(kStamp) + "stdout F three\n.*stdout F four\n"));
    EXPECT_THAT(content("log.2"), MatchesRegex(std::string(kStamp) + "stdout F one\n.*stdout F two\n"));
    write(*log, Stream::out, "six\n");
    write(*log, Stream::out, "seven\n");
    EXPECT_THAT(content("log.2"), HasSubstr("three\n"));
    EXPECT_EQ(content("log.3"), "(none)");
}

TEST_F(LogWriterTest, KeepsOneFileAlone) {
    const auto log = open(LogLimits{.max_bytes = 100, .files = 1});
    for (const char* line : {"one\n", "two\n", "three\n"}) write(*log, Stream::out, line);
    EXPECT_THAT(content("log"), MatchesRegex(std::string(kStamp) + "stdout F three\n"));
    EXPECT_EQ(content("log.1"), "(none)");
}

TEST_F(LogWriterTest, RemovesWhatALowerLimitLeavesNoRoomFor) {
    const LogLimits many{.max_bytes = 40, .files = 5};
    const auto before = open(many);
    for (int i = 0; i < 9; ++i) write(*before, Stream::out, "a line\n");
    EXPECT_NE(content("log.4"), "(none)");
    const auto after = open(LogLimits{.max_bytes = 40, .files = 2});
    EXPECT_NE(content("log.1"), "(none)");
    for (const char* name : {"log.2", "log.3", "log.4"}) EXPECT_EQ(content(name), "(none)") << name;
}

TEST_F(LogWriterTest, AppendsAfterARestart) {
    write(*open(), Stream::out, "before\n");
    write(*open(), Stream::out, "after\n");
    EXPECT_THAT(content(kLogFile), MatchesRegex(".*F before\n.*F after\n"));
}

TEST_F(LogWriterTest, ExitFile) {
    EXPECT_TRUE(writeExitFile(fd_.get(), 143));
    EXPECT_EQ(content(kExitFile), "143\n");
    removeExitFile(fd_.get());
    EXPECT_EQ(content(kExitFile), "(none)");
}

}  // namespace
}  // namespace homeslice::init
