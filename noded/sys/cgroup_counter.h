// A number in a control file that is read often: the file stays open. Threads: any.
#pragma once

#include <cstdint>
#include <string>

#include "base/unique_fd.h"

namespace homeslice::sys {

class CgroupCounter {
public:
    CgroupCounter() = default;
    // The number after `key` in a file of lines "KEY NUMBER", or the first one in the file when that is empty; divided.
    CgroupCounter(const std::string& path, std::string key, uint64_t divisor = 1);

    // 0 when the file cannot be read, as that of a group that is gone.
    uint64_t value() const;

private:
    UniqueFd file_;
    std::string key_;
    uint64_t divisor_ = 1;
};

}  // namespace homeslice::sys
