#include "noded/init/terminal.h"

#include <fcntl.h>
#include <sys/ioctl.h>

#include <cerrno>

namespace homeslice::init {
namespace {

// /dev and /dev/pts are mount points, which nobody inside can replace, and devpts lets nobody remove its ptmx. The
// link /dev/ptmx could lead anywhere.
constexpr char kMultiplexer[] = "/dev/pts/ptmx";

}  // namespace

int openTerminal(uint16_t columns, uint16_t rows, Terminal& terminal) {
    constexpr int kFlags = O_RDWR | O_NOCTTY | O_CLOEXEC;
    terminal.master.reset(::open(kMultiplexer, kFlags | O_NONBLOCK | O_NOFOLLOW));
    const int unlocked = 0;
    if (!terminal.master || ::ioctl(terminal.master.get(), TIOCSPTLCK, &unlocked) < 0) return errno;
    terminal.slave.reset(::ioctl(terminal.master.get(), TIOCGPTPEER, kFlags));
    if (!terminal.slave) return errno;
    winsize size{};
    size.ws_col = columns;
    size.ws_row = rows;
    return ::ioctl(terminal.master.get(), TIOCSWINSZ, &size) < 0 ? errno : 0;
}

}  // namespace homeslice::init
