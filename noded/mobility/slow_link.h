// A cable that takes its time: hands frames between two links of a host of its own, each direction late by the same.
#pragma once

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

#include "noded/mobility/test_network.h"

namespace homeslice::mobility {

class SlowLink {
public:
    // Of `host`, both up. What goes over it must have whole checksums: no offloads at the ends.
    SlowLink(TestHost& host, const std::string& one, const std::string& other, std::chrono::milliseconds delay);
    ~SlowLink();
    SlowLink(const SlowLink&) = delete;
    SlowLink& operator=(const SlowLink&) = delete;

private:
    const std::chrono::milliseconds delay_;
    std::atomic<bool> stopping_{false};
    UniqueFd sockets_[2];
    std::thread thread_;
};

}  // namespace homeslice::mobility
