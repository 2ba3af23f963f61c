#include "ctl/client/terminal.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "base/status.h"

namespace homeslice::ctl {
namespace {

constexpr char kControlP = '\x10';
constexpr char kControlQ = '\x11';

// Signal handlers reach nothing but globals.
std::atomic<int> resize_event{-1};

void onResize(int) {
    const int saved = errno;
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(resize_event.load(), &one, sizeof one);
    errno = saved;
}

void setHandler(void (*handler)(int)) {
    struct sigaction action {};
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    ::sigaction(SIGWINCH, &action, nullptr);
}

}  // namespace

absl::StatusOr<std::unique_ptr<RawTerminal>> RawTerminal::take(int fd) {
    termios before{};
    if (::tcgetattr(fd, &before) != 0) return errnoStatus(errno, "tcgetattr");
    UniqueFd resized(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!resized) return errnoStatus(errno, "eventfd");
    termios raw = before;
    ::cfmakeraw(&raw);
    if (::tcsetattr(fd, TCSADRAIN, &raw) != 0) return errnoStatus(errno, "tcsetattr");
    return std::unique_ptr<RawTerminal>(new RawTerminal(fd, before, std::move(resized)));
}

RawTerminal::RawTerminal(int fd, const termios& before, UniqueFd resized)
    : fd_(fd), before_(before), resized_(std::move(resized)) {
    resize_event = resized_.get();
    setHandler(onResize);
}

RawTerminal::~RawTerminal() {
    setHandler(SIG_DFL);
    resize_event = -1;
    ::tcsetattr(fd_, TCSADRAIN, &before_);
}

TerminalSize RawTerminal::size() const {
    winsize size{};
    const bool known = ::ioctl(fd_, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0;
    return known ? TerminalSize{.columns = size.ws_col, .rows = size.ws_row} : TerminalSize{};
}

void RawTerminal::clearResized() const {
    eventfd_t ignored = 0;
    ::eventfd_read(resized_.get(), &ignored);
}

std::string DetachKeys::feed(const std::string& input) {
    std::string passed;
    for (const char key : input) {
        if (half_ && key == kControlQ) {
            typed_ = true;
            return passed;
        }
        if (half_) passed += kControlP;
        half_ = key == kControlP;
        if (!half_) passed += key;
    }
    return passed;
}

}  // namespace homeslice::ctl
