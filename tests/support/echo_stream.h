// Clients of the echo server of tests/e2e/echo, in a host's network namespace of the lab, on and on in threads of
// their own.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>

#include "base/unique_fd.h"

namespace homeslice::testing_support {

// One TCP connection that carries a counter there and back.
class EchoStream {
public:
    explicit EchoStream(const std::string& address, const std::string& host = "client");
    ~EchoStream() { stop(); }
    EchoStream(const EchoStream&) = delete;
    EchoStream& operator=(const EchoStream&) = delete;

    bool connected() const { return connected_; }
    // Why it is not.
    const std::string& error() const { return error_; }
    // The host name of the sliver at the other end.
    const std::string& server() const { return server_; }
    uint64_t echoed() const { return echoed_; }
    // The longest time that an echo took.
    std::chrono::milliseconds longest() const { return std::chrono::milliseconds(longest_ms_); }
    // By the other end, or by an echo that is not what was said.
    bool broken() const { return broken_; }
    void stop();

private:
    void run();
    bool greeted();
    bool receive(void* data, size_t size);

    UniqueFd fd_;
    bool connected_ = false;
    std::string error_;
    std::string server_;
    std::atomic<bool> stopping_{false};
    std::atomic<bool> broken_{false};
    std::atomic<uint64_t> echoed_{0};
    std::atomic<int64_t> longest_ms_{0};
    std::thread thread_;
};

// One UDP socket, connected once, that sends a counter a hundred times a second whether it is answered or not.
class EchoDatagrams {
public:
    explicit EchoDatagrams(const std::string& address, const std::string& host = "client");
    ~EchoDatagrams();
    EchoDatagrams(const EchoDatagrams&) = delete;
    EchoDatagrams& operator=(const EchoDatagrams&) = delete;

    uint64_t sent() const { return sent_; }
    uint64_t answered() const { return answered_; }

private:
    void run();

    UniqueFd fd_;
    std::atomic<bool> stopping_{false};
    std::atomic<uint64_t> sent_{0};
    std::atomic<uint64_t> answered_{0};
    std::thread thread_;
};

}  // namespace homeslice::testing_support
