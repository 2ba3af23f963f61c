// A BPF map with the types of its key and value. Borrows the descriptor. Threads: any.
#pragma once

#include <bpf/bpf.h>

#include <cerrno>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"

namespace homeslice::mobility {

template <typename Key, typename Value>
class BpfMap {
public:
    explicit BpfMap(int fd, std::string name) : fd_(fd), name_(std::move(name)) {}

    absl::Status put(const Key& key, const Value& value) const {
        return ::bpf_map_update_elem(fd_, &key, &value, BPF_ANY) == 0 ? absl::OkStatus() : failure("update");
    }
    // Leaves an element that is there as it is.
    absl::Status putIfAbsent(const Key& key, const Value& value) const {
        if (::bpf_map_update_elem(fd_, &key, &value, BPF_NOEXIST) == 0 || errno == EEXIST) return absl::OkStatus();
        return failure("update");
    }
    std::optional<Value> get(const Key& key) const {
        Value value{};
        if (::bpf_map_lookup_elem(fd_, &key, &value) != 0) return std::nullopt;
        return value;
    }
    absl::Status erase(const Key& key) const {
        if (::bpf_map_delete_elem(fd_, &key) == 0 || errno == ENOENT) return absl::OkStatus();
        return failure("delete from");
    }
    // All keys, provided that nobody deletes meanwhile.
    std::vector<Key> keys() const {
        std::vector<Key> result;
        Key key{};
        for (const Key* last = nullptr; ::bpf_map_get_next_key(fd_, last, &key) == 0; last = &result.back())
            result.push_back(key);
        return result;
    }
    // Each element that is there all the while; others may be left out. For maps that the programs change meanwhile.
    template <typename Visit>
    void forEach(Visit visit) const {
        constexpr __u32 kBatch = 4096;
        std::vector<Key> keys(kBatch);
        std::vector<Value> values(kBatch);
        __u32 position = 0;
        bool first = true;
        for (bool more = true; more; first = false) {
            __u32 count = kBatch;
            const int error = ::bpf_map_lookup_batch(fd_, first ? nullptr : &position, &position, keys.data(),
                                                     values.data(), &count, nullptr);
            if (error != 0 && errno != ENOENT) return;
            more = error == 0;
            for (__u32 i = 0; i < count; ++i) visit(keys[i], values[i]);
        }
    }
    int fd() const { return fd_; }

private:
    absl::Status failure(const std::string& action) const { return errnoStatus(errno, action + " BPF map " + name_); }

    int fd_;
    std::string name_;
};

}  // namespace homeslice::mobility
