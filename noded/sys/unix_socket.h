// AF_UNIX SOCK_SEQPACKET sockets: whole messages of bounded size, with descriptors. Paths may be longer than sun_path.
// Threads: any.
#pragma once

#include <absl/status/statusor.h>

#include <chrono>
#include <string>
#include <vector>

#include "base/unique_fd.h"

namespace homeslice::sys {

// Listens at `path`, mode 0600; an old socket file is replaced.
absl::StatusOr<UniqueFd> listenSeqpacket(const std::string& path, int backlog);
// NOT_FOUND: no such file; UNAVAILABLE: nobody listens.
absl::StatusOr<UniqueFd> connectSeqpacket(const std::string& path);

struct Message {
    std::string data;
    std::vector<UniqueFd> fds;
};

// Blocks while the peer's queue is full. UNAVAILABLE when the peer is gone.
absl::Status sendMessage(int socket, const std::string& data, const std::vector<int>& fds = {});
// UNAVAILABLE at the end of the connection, DEADLINE_EXCEEDED after `timeout` (negative: none), OUT_OF_RANGE or similar
// with errno EMSGSIZE for a message longer than `max_size`.
absl::StatusOr<Message> receiveMessage(int socket, size_t max_size, std::chrono::milliseconds timeout);

}  // namespace homeslice::sys
