// Keeps what is measured on one processor. Header only.
#pragma once

#include <sched.h>

namespace homeslice::bench {

// The calling thread, and those that it starts, stay on the last processor. So both ends and the whole path share one:
// what it gets done is what the path costs, wherever the scheduler would have put whom. The thread is free again when
// this ends.
class OneProcessor {
public:
    OneProcessor() {
        ::sched_getaffinity(0, sizeof(before_), &before_);
        cpu_set_t one;
        CPU_ZERO(&one);
        for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
            if (!CPU_ISSET(cpu, &before_)) continue;
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
        }
        ::sched_setaffinity(0, sizeof(one), &one);
    }
    ~OneProcessor() { ::sched_setaffinity(0, sizeof(before_), &before_); }
    OneProcessor(const OneProcessor&) = delete;
    OneProcessor& operator=(const OneProcessor&) = delete;

private:
    cpu_set_t before_{};
};

}  // namespace homeslice::bench
