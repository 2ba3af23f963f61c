// What the key PREFIX/meta holds. Internal to the etcd store.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>

namespace homeslice::controller::etcd {

struct Meta {
    int64_t schema = 0;  // version of the rows' form, as in schema.h; 0: nothing has been stored yet
    uint64_t revision = 0;
    uint32_t last_slice_number = 0;
    std::string home_prefix;
    std::string batch;  // a random id, by which who wrote it knows it again
};

std::string toText(const Meta& meta);
// DATA_LOSS for what toText() did not write.
absl::StatusOr<Meta> parseMeta(const std::string& text);

}  // namespace homeslice::controller::etcd
