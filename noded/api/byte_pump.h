// A connection's bytes inside a call: what comes from a socket goes up the call, what comes down it into the socket.
// Two threads, which sleep while nothing moves. Internal to the ways through the controller (nat_listener,
// dialled_way).
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "base/unique_fd.h"

namespace homeslice::api {

// A call as the pump sees it. One thread reads, another writes; cancel(): any.
class ByteStream {
public:
    virtual ~ByteStream() = default;
    // Both are false when the call has ended.
    virtual bool read(std::string& data) = 0;
    virtual bool write(const std::string& data) = 0;
    virtual void cancel() = 0;
    // After the last read and write.
    virtual void finish() = 0;
};

class BytePump {
public:
    // `first` has been read from the call already.
    BytePump(UniqueFd socket, std::unique_ptr<ByteStream> stream, std::string first = "");
    // Ends the call, and the connection.
    ~BytePump();
    BytePump(const BytePump&) = delete;
    BytePump& operator=(const BytePump&) = delete;

    bool isDone() const { return done_; }

private:
    void run(std::string data);
    void moveUp();

    const UniqueFd socket_;  // blocking
    const std::unique_ptr<ByteStream> stream_;
    std::atomic<bool> done_ = false;
    std::thread thread_;
};

}  // namespace homeslice::api
