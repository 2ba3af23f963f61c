#include "ctl/commands/child.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"

namespace homeslice::ctl {
namespace {

using ::testing::ElementsAre;

class Child : public ::testing::Test {
protected:
    absl::Status shell(const std::string& script) {
        return runChild({"/bin/sh", "-c", script}, cancellation_, [this](const std::string& line) {
            lines_.push_back(line);
            if (line == "started") cancellation_.cancel();
        });
    }

    Cancellation cancellation_;
    std::vector<std::string> lines_;
};

TEST_F(Child, HandsOverLinesOfBothStreams) {
    EXPECT_TRUE(shell("echo one; echo two >&2; printf three").ok());
    EXPECT_THAT(lines_, ElementsAre("one", "two", "three"));
}

TEST_F(Child, FailureNamesTheLastLine) {
    const absl::Status status = shell("echo no such package; exit 3");
    EXPECT_EQ(messageOf(status), "/bin/sh failed with exit status 3: no such package");
    EXPECT_EQ(messageOf(shell("kill -9 $$")), "/bin/sh failed with signal 9");
}

TEST_F(Child, ThatCannotStartIsAnError) {
    const absl::Status status = runChild({"/nonexistent"}, cancellation_, [](const std::string&) {});
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
}

TEST_F(Child, CancellationReachesItsOwnChildrenToo) {
    const absl::Status status = shell("sleep 1000 & echo started; wait");
    EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace homeslice::ctl
