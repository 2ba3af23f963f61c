// Who runs a sliver's command: the OCI image configuration's User, looked up in the image's own /etc/passwd and group.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>

namespace homeslice::isolation {

struct ImageUser {
    uint32_t uid = 0;
    uint32_t gid = 0;
};

// "", "name", "uid", "name:group", "uid:gid". Links in the image are followed inside `rootfs` only. NOT_FOUND for a
// name that the image does not have; INVALID_ARGUMENT for an id outside of a sliver's 65536.
absl::StatusOr<ImageUser> resolveImageUser(const std::string& rootfs, const std::string& user);

}  // namespace homeslice::isolation
