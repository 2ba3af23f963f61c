// The user's terminal, given to a command elsewhere.
#pragma once

#include <absl/status/statusor.h>
#include <termios.h>

#include <cstdint>
#include <memory>
#include <string>

#include "base/unique_fd.h"

namespace homeslice::ctl {

struct TerminalSize {
    uint16_t columns = 80;
    uint16_t rows = 24;
};

// While it lives the terminal is raw: every key, control-C too, is input. At most one at a time.
class RawTerminal {
public:
    // `fd` is a terminal, and outlives this.
    static absl::StatusOr<std::unique_ptr<RawTerminal>> take(int fd);
    // Makes the terminal what it was.
    ~RawTerminal();
    RawTerminal(const RawTerminal&) = delete;
    RawTerminal& operator=(const RawTerminal&) = delete;

    int fd() const { return fd_; }
    TerminalSize size() const;
    // Readable when the size may have changed (SIGWINCH), until clearResized().
    int resized() const { return resized_.get(); }
    void clearResized() const;

private:
    RawTerminal(int fd, const termios& before, UniqueFd resized);

    int fd_;
    termios before_;
    UniqueFd resized_;
};

// Finds the keys by which the user detaches, control-P control-Q, in what is typed.
class DetachKeys {
public:
    // What is to be passed on of the next input. A control-P waits for the key that follows it.
    std::string feed(const std::string& input);
    // The keys were typed. What came after them is dropped.
    bool typed() const { return typed_; }

private:
    bool half_ = false;
    bool typed_ = false;
};

}  // namespace homeslice::ctl
