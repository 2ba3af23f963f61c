// What needs no sliver; the rest is in launcher/sliver_root_test.cpp.
#include "noded/init/client.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include "base/file.h"
#include "noded/init/protocol.h"

namespace homeslice::init {
namespace {

using std::chrono::milliseconds;

TEST(InitClient, RefusesWhatDoesNotFit) {
    EXPECT_TRUE(absl::IsInvalidArgument(exec("/nowhere", {}).status()));
    ExecRequest nul;
    nul.argv = {"echo", std::string("a\0b", 3)};
    EXPECT_TRUE(absl::IsInvalidArgument(exec("/nowhere", std::move(nul)).status()));
    ExecRequest large;
    large.argv = {"echo", std::string(kMaxRequestSize, 'x')};
    EXPECT_TRUE(absl::IsInvalidArgument(exec("/nowhere", std::move(large)).status()));
    ExecRequest many;
    many.argv = std::vector<std::string>(kMaxStrings + 1, "x");
    EXPECT_TRUE(absl::IsInvalidArgument(exec("/nowhere", std::move(many)).status()));
    ExecRequest both;
    both.argv = {"cat"};
    both.terminal = TerminalSize();
    both.stdin_fd = UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    EXPECT_TRUE(absl::IsInvalidArgument(exec("/nowhere", std::move(both)).status()));
    EXPECT_TRUE(absl::IsInvalidArgument(stop("/nowhere", milliseconds(-1))));
    EXPECT_TRUE(absl::IsInvalidArgument(stop("/nowhere", milliseconds(0), 1000)));
}

TEST(InitClient, SaysWhenThereIsNoSliver) {
    ExecRequest request;
    request.argv = {"true"};
    EXPECT_TRUE(absl::IsNotFound(exec("/nonexistent/control.sock", std::move(request)).status()));
    EXPECT_TRUE(absl::IsNotFound(stop("/nonexistent/control.sock", milliseconds(0))));
}

TEST(InitClient, ReadsTheExitFile) {
    std::string directory = ::testing::TempDir() + "hs-exit-XXXXXX";
    ASSERT_NE(::mkdtemp(directory.data()), nullptr);
    EXPECT_TRUE(absl::IsNotFound(readExitStatus(directory).status()));
    ASSERT_TRUE(replaceFile(directory + "/exit", "137\n").ok());
    EXPECT_EQ(readExitStatus(directory).value_or(-1), 137);
    for (const char* malformed : {"", "x\n", "256\n", "-1\n", "12"}) {
        ASSERT_TRUE(replaceFile(directory + "/exit", malformed).ok());
        EXPECT_TRUE(absl::IsDataLoss(readExitStatus(directory).status())) << malformed;
    }
    EXPECT_TRUE(removeTree(directory).ok());
}

}  // namespace
}  // namespace homeslice::init
