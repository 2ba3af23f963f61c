#include "noded/sys/unix_socket.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/status.h"
#include "noded/sys/packed_strings.h"
#include "noded/sys/seqpacket.h"

namespace homeslice::sys {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds kPatience(10'000);

class UnixSocketTest : public ::testing::Test {
protected:
    void SetUp() override {
        ASSERT_NE(::mkdtemp(directory_.data()), nullptr);
        // Longer than sun_path.
        path_ = directory_ + "/" + std::string(120, 'd') + "/socket";
        ASSERT_TRUE(makeDirectories(directory_ + "/" + std::string(120, 'd')).ok());
    }
    void TearDown() override { EXPECT_TRUE(removeTree(directory_).ok()); }

    void openPair() {
        auto listening = listenSeqpacket(path_, 1);
        ASSERT_TRUE(listening.ok()) << listening.status();
        auto near = connectSeqpacket(path_);
        ASSERT_TRUE(near.ok()) << near.status();
        near_ = std::move(*near);
        far_.reset(::accept(listening->get(), nullptr, nullptr));
        ASSERT_TRUE(far_.valid());
    }

    std::string directory_ = ::testing::TempDir() + "hs-socket-XXXXXX";
    std::string path_;
    UniqueFd near_;
    UniqueFd far_;
};

TEST_F(UnixSocketTest, CarriesMessagesAndDescriptors) {
    openPair();
    struct stat about {};
    ASSERT_EQ(::stat(path_.c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 0777, 0600U);
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const UniqueFd read_end(ends[0]);
    UniqueFd write_end(ends[1]);
    ASSERT_TRUE(sendMessage(near_.get(), "one", {write_end.get()}).ok());
    ASSERT_TRUE(sendMessage(near_.get(), "two").ok());
    write_end.reset();
    auto one = receiveMessage(far_.get(), 16, kPatience);
    ASSERT_TRUE(one.ok()) << one.status();
    EXPECT_EQ(one->data, "one");
    ASSERT_EQ(one->fds.size(), 1U);
    EXPECT_TRUE(writeAll(one->fds[0].get(), "through").ok());
    one->fds.clear();
    EXPECT_EQ(readAll(read_end.get()).value_or(""), "through");
    EXPECT_EQ(receiveMessage(far_.get(), 16, kPatience)->data, "two");
}

TEST_F(UnixSocketTest, BoundsAreKept) {
    openPair();
    ASSERT_TRUE(sendMessage(near_.get(), "too long").ok());
    EXPECT_EQ(errnoOf(receiveMessage(far_.get(), 4, kPatience).status()), EMSGSIZE);
    EXPECT_TRUE(absl::IsDeadlineExceeded(receiveMessage(far_.get(), 4, milliseconds(1)).status()));
    EXPECT_FALSE(sendMessage(near_.get(), "x", std::vector<int>(kMaxMessageFds + 1, 0)).ok());
    near_.reset();
    EXPECT_TRUE(absl::IsUnavailable(receiveMessage(far_.get(), 4, kPatience).status()));
    EXPECT_TRUE(absl::IsUnavailable(sendMessage(far_.get(), "x")));
}

TEST_F(UnixSocketTest, NobodyThere) {
    EXPECT_TRUE(absl::IsNotFound(connectSeqpacket(path_).status()));
    ASSERT_TRUE(listenSeqpacket(path_, 1).ok());
    EXPECT_TRUE(absl::IsUnavailable(connectSeqpacket(path_).status()));
    EXPECT_TRUE(listenSeqpacket(path_, 1).ok());
    EXPECT_TRUE(absl::IsInvalidArgument(listenSeqpacket(directory_ + "/" + std::string(100, 'x'), 1).status()));
}

TEST(PackedStrings, StayWithinTheMessage) {
    std::string message;
    packString(message, "one");
    packString(message, "");
    message += "torn";
    PackedStrings strings(message.data(), message.size());
    EXPECT_STREQ(strings.next(), "one");
    EXPECT_STREQ(strings.next(), "");
    EXPECT_FALSE(strings.atEnd());
    EXPECT_EQ(strings.next(), nullptr);
    EXPECT_FALSE(isPackable(std::string("a\0b", 3)));
}

}  // namespace
}  // namespace homeslice::sys
