// The launcher's one loop: a connection to noded, requests, ends of slivers. Single-threaded.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "base/unique_fd.h"
#include "noded/launcher/home_groups.h"
#include "noded/launcher/protocol.h"

namespace homeslice::launcher {

class Server {
public:
    explicit Server(UniqueFd listening) : listening_(std::move(listening)) {}

    // nullptr, or what failed, with errno set.
    const char* start();
    void run();

private:
    struct Sliver {
        pid_t pid;
        uint64_t start_time;
    };

    bool watch(int fd);
    void acceptConnections();
    void onMessage();
    void onClone(size_t size);
    void onTaken(size_t size);
    void onSignals();
    void tellNext();
    bool send(const void* message, size_t size, const int* fds, size_t fd_count);
    bool needed() const;

    UniqueFd listening_;
    UniqueFd connection_;
    UniqueFd epoll_;
    UniqueFd signals_;
    HomeGroups home_;
    std::vector<Sliver> slivers_;
    std::deque<EndedMessage> ended_;  // the first one is told already when told_
    bool told_ = false;
    char buffer_[kMaxCloneMessage];
};

}  // namespace homeslice::launcher
