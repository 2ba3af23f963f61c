// A BPF array whose elements this process reads and writes in place. Threads: as for other memory; the programs are
// beside, so that what both write is written by atomic operations.
#pragma once

#include <absl/status/statusor.h>
#include <sys/mman.h>

#include <cerrno>
#include <span>
#include <string>
#include <utility>

#include "base/status.h"

namespace homeslice::mobility {

template <typename Value>
class MappedArray {
public:
    // Of a map made with BPF_F_MMAPABLE, with `count` elements of a size that the kernel does not round up.
    static absl::StatusOr<MappedArray> map(int fd, size_t count, const std::string& name) {
        static_assert(sizeof(Value) % sizeof(__u64) == 0);
        void* const memory = ::mmap(nullptr, count * sizeof(Value), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (memory == MAP_FAILED) return errnoStatus(errno, "map BPF map " + name);
        return MappedArray(std::span(static_cast<Value*>(memory), count));
    }
    MappedArray(MappedArray&& other) noexcept : values_(std::exchange(other.values_, {})) {}
    MappedArray& operator=(MappedArray&&) = delete;
    ~MappedArray() {
        if (!values_.empty()) ::munmap(values_.data(), values_.size_bytes());
    }

    Value& operator[](size_t index) const { return values_[index]; }
    auto begin() const { return values_.begin(); }
    auto end() const { return values_.end(); }

private:
    explicit MappedArray(std::span<Value> values) : values_(values) {}

    std::span<Value> values_;
};

}  // namespace homeslice::mobility
