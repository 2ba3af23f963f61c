// Where this process meets itself: a Unix socket in the abstract namespace (unix(7)), for libraries that connect by
// themselves, as gRPC does. Others who connect are turned away. Threads: one caller at a time; connect(): any.
#pragma once

#include <absl/status/statusor.h>

#include <string>

#include "base/unique_fd.h"

namespace homeslice {

class LocalListener {
public:
    static absl::StatusOr<LocalListener> open();

    // gRPC's name of it, "unix-abstract:0001f".
    const std::string& target() const { return target_; }
    // Readable when somebody has connected; non-blocking.
    int fd() const { return fd_.get(); }
    // The next connection (blocking); invalid when nobody waits.
    UniqueFd accept() const;

private:
    LocalListener(UniqueFd fd, std::string target) : fd_(std::move(fd)), target_(std::move(target)) {}

    UniqueFd fd_;
    std::string target_;
};

// A connection (non-blocking) to the listener with that target; EAGAIN when too many wait there.
absl::StatusOr<UniqueFd> connectLocally(const std::string& target);

}  // namespace homeslice
