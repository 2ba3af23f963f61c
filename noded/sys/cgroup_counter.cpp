#include "noded/sys/cgroup_counter.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

namespace homeslice::sys {

CgroupCounter::CgroupCounter(const std::string& path, std::string key, uint64_t divisor)
    : file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)), key_(std::move(key)), divisor_(divisor) {
    if (!key_.empty()) key_ += ' ';
}

uint64_t CgroupCounter::value() const {
    std::array<char, 1024> buffer{};
    const ssize_t size = ::pread(file_.get(), buffer.data(), buffer.size(), 0);
    std::string_view rest(buffer.data(), size < 0 ? 0 : static_cast<size_t>(size));
    while (!rest.empty() && !rest.starts_with(key_)) rest.remove_prefix(std::min(rest.find('\n'), rest.size() - 1) + 1);
    uint64_t value = 0;
    if (!rest.empty()) std::from_chars(rest.data() + key_.size(), rest.data() + rest.size(), value);
    return value / divisor_;
}

}  // namespace homeslice::sys
