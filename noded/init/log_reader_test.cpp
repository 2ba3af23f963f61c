#include "noded/init/log_reader.h"

#include <absl/status/status.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <future>
#include <memory>
#include <mutex>
#include <sstream>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "base/status.h"
#include "noded/init/log_writer.h"

namespace homeslice::init {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::chrono::seconds kPatience{20};

// The texts of the records, without time, stream and tag.
std::vector<std::string> textsOf(const std::string& records) {
    std::vector<std::string> texts;
    std::istringstream lines(records);
    constexpr size_t kHead = kLogTimeSize + sizeof(" stdout F ") - 1;
    for (std::string line; std::getline(lines, line);) {
        texts.push_back(line.size() < kHead ? line : line.substr(kHead));
    }
    return texts;
}

template <typename Condition>
bool eventually(const Condition& holds) {
    const auto deadline = Monotonic::now() + kPatience;
    while (!holds()) {
        if (Monotonic::now() > deadline) return false;
        std::this_thread::yield();
    }
    return true;
}

size_t filesIn(const std::string& directory) {
    const std::filesystem::directory_iterator files(directory);
    return static_cast<size_t>(std::distance(begin(files), end(files)));
}

// How many files of the directory this process has open.
size_t openBelow(const std::string& directory) {
    size_t count = 0;
    for (const auto& fd : std::filesystem::directory_iterator("/proc/self/fd")) {
        std::error_code error;
        const std::string path = std::filesystem::read_symlink(fd.path(), error).string();
        count += !error && path.starts_with(directory + "/") ? 1 : 0;
    }
    return count;
}

// Reads a log in a thread of its own, until the end of the copy or until it is dropped.
class Reading {
public:
    Reading(const std::string& directory, const LogRange& range) {
        int ends[2];
        EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
        source_.reset(ends[0]);
        copy_ = std::async(std::launch::async, [directory, range, sink = std::make_shared<UniqueFd>(ends[1])] {
            absl::Status status = copyLog(directory, range, sink->get());
            sink->reset();
            return status;
        });
        collector_ = std::thread([this] { collect(); });
    }
    ~Reading() {
        if (collector_.joinable()) collector_.join();
    }

    // Waits until this many lines are here.
    std::vector<std::string> lines(size_t count) {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, kPatience, [&] { return textsOf(text_).size() >= count; });
        return textsOf(text_);
    }
    // After it, lines() has all.
    absl::Status end() {
        if (copy_.wait_for(kPatience) != std::future_status::ready) return deadlineExceeded("still following");
        collector_.join();
        return copy_.get();
    }

private:
    void collect() {
        char piece[4096];
        for (ssize_t size; (size = ::read(source_.get(), piece, sizeof(piece))) > 0;) {
            const std::lock_guard lock(mutex_);
            text_.append(piece, static_cast<size_t>(size));
            changed_.notify_all();
        }
    }

    UniqueFd source_;
    std::future<absl::Status> copy_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::string text_;
    std::thread collector_;
};

class LogReaderTest : public ::testing::Test {
protected:
    void SetUp() override {
        ::signal(SIGPIPE, SIG_IGN);
        ASSERT_NE(::mkdtemp(parent_.data()), nullptr);
        directory_ = parent_ + "/log";
        ASSERT_TRUE(makeDirectories(directory_).ok());
        auto fd = openFile(directory_, O_PATH | O_DIRECTORY);
        ASSERT_TRUE(fd.ok());
        fd_ = std::move(*fd);
    }
    void TearDown() override { EXPECT_TRUE(removeTree(parent_).ok()); }

    void open(const LogLimits& limits = {}) {
        log_ = std::make_unique<LogWriter>(fd_.get());
        log_->keepWithin(limits);
    }
    void write(const std::string& text) { log_->write(Stream::out, text.data(), text.size()); }
    std::vector<std::string> read(const LogRange& range = {}) {
        Reading reading(directory_, range);
        EXPECT_TRUE(reading.end().ok());
        return reading.lines(0);
    }

    std::string parent_ = ::testing::TempDir() + "hs-log-XXXXXX";
    std::string directory_;
    UniqueFd fd_;
    std::unique_ptr<LogWriter> log_;
};

TEST_F(LogReaderTest, AllFilesOldestFirst) {
    open({.max_bytes = 100, .files = 4});
    for (const char* line : {"1\n", "2\n", "3\n", "4\n", "5\n", "6\n", "7\n"}) write(line);
    EXPECT_THAT(read(), ElementsAre("1", "2", "3", "4", "5", "6", "7"));
}

TEST_F(LogReaderTest, EmptyAndMissing) {
    EXPECT_THAT(read(), IsEmpty());
    open();
    EXPECT_THAT(read({.since_us = 0, .tail = 5, .follow = false}), IsEmpty());
    EXPECT_TRUE(absl::IsNotFound(copyLog(parent_ + "/none", {}, STDOUT_FILENO)));
}

TEST_F(LogReaderTest, LastLines) {
    open({.max_bytes = 120, .files = 4});
    for (const char* line : {"1\n", "2\n", "3\n", "4\n", "5\n"}) write(line);
    EXPECT_THAT(read({.since_us = 0, .tail = 2, .follow = false}), ElementsAre("4", "5"));
    EXPECT_THAT(read({.since_us = 0, .tail = 4, .follow = false}), ElementsAre("2", "3", "4", "5"));
    EXPECT_THAT(read({.since_us = 0, .tail = 9, .follow = false}), ElementsAre("1", "2", "3", "4", "5"));
}

TEST_F(LogReaderTest, ALineInPartsIsOneOfTheLast) {
    open();
    write("first\n" + std::string(kMaxLogText, 'a') + "b\n" + "open");
    log_->finish(Stream::out);
    const auto last = read({.since_us = 0, .tail = 2, .follow = false});
    EXPECT_THAT(last, ElementsAre(std::string(kMaxLogText, 'a'), "b", "open"));
    EXPECT_THAT(read({.since_us = 0, .tail = 1, .follow = false}), ElementsAre("open"));
}

TEST_F(LogReaderTest, SinceATime) {
    open({.max_bytes = 100, .files = 4});
    for (const char* line : {"1\n", "2\n", "3\n"}) write(line);
    const int64_t now = toUnixMicros(Utc::now());
    EXPECT_THAT(read({.since_us = now + 60'000'000, .tail = 0, .follow = false}), IsEmpty());
    EXPECT_THAT(read({.since_us = now - 60'000'000, .tail = 0, .follow = false}), ElementsAre("1", "2", "3"));
    EXPECT_THAT(read({.since_us = now - 60'000'000, .tail = 1, .follow = false}), ElementsAre("3"));
    ASSERT_TRUE(replaceFile(directory_ + "/log.3", "2001-01-01T00:00:00.000000000Z stdout F long ago\n").ok());
    EXPECT_THAT(read({.since_us = 978'307'200'000'001, .tail = 0, .follow = false}), ElementsAre("1", "2", "3"));
    EXPECT_EQ(read({.since_us = 978'307'200'000'000, .tail = 0, .follow = false}).size(), 4U);
}

TEST_F(LogReaderTest, KeepsWhatHasNoEnd) {
    open();
    write("whole\n");
    const std::string cut = readFile(directory_ + "/log").value_or("") + "2026-01-01T00:00:00.000000000Z stdout F cu";
    ASSERT_TRUE(replaceFile(directory_ + "/log", cut).ok());
    EXPECT_THAT(read(), ElementsAre("whole", "cu"));
}

TEST_F(LogReaderTest, FollowsAcrossManyRotations) {
    constexpr size_t kLines = 20'000;
    constexpr size_t kAhead = 400;  // 60 bytes each: some ten files, of a hundred
    open({.max_bytes = 3000, .files = 100});
    Reading reading(directory_, {.since_us = 0, .tail = 0, .follow = true});
    for (size_t line = 0; line < kLines; ++line) {
        write(std::to_string(line) + "\n");
        if (line % kAhead == 0) {
            ASSERT_GE(reading.lines(line + 1).size(), line + 1);
        }
    }
    const auto lines = reading.lines(kLines);
    ASSERT_EQ(lines.size(), kLines);
    for (size_t line = 0; line < kLines; ++line) ASSERT_EQ(lines[line], std::to_string(line));
    ASSERT_TRUE(removeTree(directory_).ok());
    EXPECT_TRUE(reading.end().ok());
}

TEST_F(LogReaderTest, FollowsAfterTheLastLines) {
    open();
    write("1\n2\n3\n");
    Reading reading(directory_, {.since_us = 0, .tail = 1, .follow = true});
    EXPECT_THAT(reading.lines(1), ElementsAre("3"));
    write("4\n");
    EXPECT_THAT(reading.lines(2), ElementsAre("3", "4"));
    write("last\n");
    ASSERT_TRUE(removeTree(directory_).ok());
    EXPECT_TRUE(reading.end().ok());
    EXPECT_EQ(reading.lines(2)[1], "4");
}

TEST_F(LogReaderTest, RepeatsNothingWhileTheLogIsRemoved) {
    open({.max_bytes = 100, .files = 3});
    for (const char* line : {"1\n", "2\n", "3\n", "4\n", "5\n"}) write(line);
    Reading reading(directory_, {.since_us = 0, .tail = 0, .follow = true});
    EXPECT_EQ(reading.lines(5).size(), 5U);
    for (const char* name : {"/log", "/log.1"}) ASSERT_EQ(::unlink((directory_ + name).c_str()), 0);
    ASSERT_TRUE(removeTree(directory_).ok());
    EXPECT_TRUE(reading.end().ok());
    EXPECT_THAT(reading.lines(0), ElementsAre("1", "2", "3", "4", "5"));
}

// A follower that is files behind has them open already.
TEST_F(LogReaderTest, LosesNothingOfALogThatIsRemovedBeforeItIsRead) {
    constexpr size_t kLines = 6000;
    constexpr uint64_t kFileBytes = 100'000;  // more than a pipe holds
    open({.max_bytes = kFileBytes, .files = 10});
    write("0\n");
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    UniqueFd source(ends[0]);
    UniqueFd sink(ends[1]);
    auto copy = std::async(std::launch::async, [&] {
        absl::Status status = copyLog(directory_, {.since_us = 0, .tail = 0, .follow = true}, sink.get());
        sink.reset();
        return status;
    });
    for (size_t line = 1; line < kLines; ++line) write(std::to_string(line) + "\n");
    const size_t files = filesIn(directory_);
    ASSERT_GT(files, 2U);
    ASSERT_TRUE(eventually([&] { return openBelow(directory_) >= files + 1; })) << "the writer has the newest open";
    ASSERT_TRUE(removeTree(directory_).ok());
    std::string text;
    char piece[4096];
    for (ssize_t size; (size = ::read(source.get(), piece, sizeof(piece))) > 0;) {
        text.append(piece, static_cast<size_t>(size));
    }
    EXPECT_TRUE(copy.get().ok());
    const auto lines = textsOf(text);
    ASSERT_EQ(lines.size(), kLines);
    for (size_t line = 0; line < kLines; ++line) ASSERT_EQ(lines[line], std::to_string(line));
}

TEST_F(LogReaderTest, FollowsALogThatIsNotThereYet) {
    Reading reading(directory_, {.since_us = 0, .tail = 0, .follow = true});
    open();
    write("1\n");
    EXPECT_THAT(reading.lines(1), ElementsAre("1"));
    // A directory that is moved away is as good as removed.
    ASSERT_EQ(::rename(directory_.c_str(), (parent_ + "/trash").c_str()), 0);
    EXPECT_TRUE(reading.end().ok());
}

TEST_F(LogReaderTest, EndsWhenNobodyReads) {
    open();
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    UniqueFd source(ends[0]);
    const UniqueFd sink(ends[1]);
    auto copy = std::async(std::launch::async,
                           [&] { return copyLog(directory_, {.since_us = 0, .tail = 0, .follow = true}, sink.get()); });
    write("1\n");
    char first = 0;
    EXPECT_EQ(::read(source.get(), &first, 1), 1);
    source.reset();
    ASSERT_EQ(copy.wait_for(kPatience), std::future_status::ready);
    EXPECT_TRUE(copy.get().ok());
}

}  // namespace
}  // namespace homeslice::init
