// What is sent along a path: one bulk TCP connection, and UDP datagrams back and forth.
#pragma once

#include <absl/status/statusor.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "box.h"

namespace homeslice::bench {

// Takes in TCP and echoes UDP in a machine, until it is destroyed.
class Server {
public:
    explicit Server(const Box& box);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

private:
    void sink() const;
    void echo() const;

    UniqueFd listener_;
    UniqueFd datagrams_;
    std::vector<std::thread> threads_;
};

// Bytes a second that reach `address` while one connection sends for so long.
absl::StatusOr<double> throughput(const Box& from, const std::string& address, std::chrono::milliseconds duration);
// Seconds of so many round trips, one after the other.
absl::StatusOr<std::vector<double>> roundTrips(const Box& from, const std::string& address, unsigned count);

// A socket of `box`, connected to the address when there is one.
absl::StatusOr<UniqueFd> openSocket(const Box& box, int type, const std::string& address, uint16_t port);

}  // namespace homeslice::bench
