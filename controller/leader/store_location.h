// Which store sliced uses, as a user writes it: sqlite:PATH or etcd:HOST:PORT[,HOST:PORT...].
#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <vector>

namespace homeslice::controller {

struct StoreLocation {
    enum class Kind { sqlite, etcd };

    Kind kind = Kind::sqlite;
    std::string path;                    // of SQLite's file
    std::vector<std::string> endpoints;  // of etcd

    std::string toString() const;
    bool operator==(const StoreLocation&) const = default;
};

// INVALID_ARGUMENT that names `option`.
absl::StatusOr<StoreLocation> parseStoreLocation(const std::string& option, const std::string& text);

}  // namespace homeslice::controller
