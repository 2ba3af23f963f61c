#include "ctl/client/terminal.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>

namespace homeslice::ctl {
namespace {

class Pair {
public:
    Pair() {
        int master = -1;
        int slave = -1;
        EXPECT_EQ(::openpty(&master, &slave, nullptr, nullptr, nullptr), 0);
        master_.reset(master);
        slave_.reset(slave);
    }
    int slave() const { return slave_.get(); }
    void resize(uint16_t columns, uint16_t rows) {
        winsize size{};
        size.ws_col = columns;
        size.ws_row = rows;
        EXPECT_EQ(::ioctl(master_.get(), TIOCSWINSZ, &size), 0);
    }
    tcflag_t localFlags() const {
        termios settings{};
        EXPECT_EQ(::tcgetattr(slave(), &settings), 0);
        return settings.c_lflag;
    }

private:
    UniqueFd master_;
    UniqueFd slave_;
};

bool readable(int fd) {
    pollfd event{.fd = fd, .events = POLLIN, .revents = 0};
    return ::poll(&event, 1, 0) == 1;
}

TEST(RawTerminal, IsRawWhileItLives) {
    const Pair pair;
    const tcflag_t before = pair.localFlags();
    EXPECT_NE(before & (ECHO | ICANON | ISIG), 0U);
    {
        const auto terminal = RawTerminal::take(pair.slave());
        ASSERT_TRUE(terminal.ok()) << terminal.status();
        EXPECT_EQ(pair.localFlags() & (ECHO | ICANON | ISIG), 0U);
    }
    EXPECT_EQ(pair.localFlags(), before);
}

TEST(RawTerminal, TellsItsSize) {
    Pair pair;
    const auto terminal = RawTerminal::take(pair.slave());
    ASSERT_TRUE(terminal.ok()) << terminal.status();
    EXPECT_EQ((*terminal)->size().columns, 80) << "a size of nothing is none";
    EXPECT_FALSE(readable((*terminal)->resized()));
    pair.resize(132, 50);
    ::raise(SIGWINCH);
    EXPECT_TRUE(readable((*terminal)->resized()));
    (*terminal)->clearResized();
    EXPECT_FALSE(readable((*terminal)->resized()));
    EXPECT_EQ((*terminal)->size().columns, 132);
    EXPECT_EQ((*terminal)->size().rows, 50);
}

TEST(RawTerminal, NeedsATerminal) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const UniqueFd read_end(ends[0]);
    const UniqueFd write_end(ends[1]);
    EXPECT_FALSE(RawTerminal::take(read_end.get()).ok());
}

TEST(DetachKeys, PassOnTheRest) {
    DetachKeys keys;
    EXPECT_EQ(keys.feed("ab\x11"
                        "c"),
              "ab\x11"
              "c");
    EXPECT_EQ(keys.feed("\x10"), "");
    EXPECT_EQ(keys.feed("x"), "\x10x");
    EXPECT_EQ(keys.feed("\x10\x10"), "\x10");
    EXPECT_FALSE(keys.typed());
    EXPECT_EQ(keys.feed("\x11lost"), "");
    EXPECT_TRUE(keys.typed());
}

TEST(DetachKeys, InOnePiece) {
    DetachKeys keys;
    EXPECT_EQ(keys.feed("ls\n\x10\x11"), "ls\n");
    EXPECT_TRUE(keys.typed());
}

}  // namespace
}  // namespace homeslice::ctl
