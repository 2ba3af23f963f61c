// Reads tar archives (ustar, pax, GNU; plain, gzip or zstd) by libarchive, with errors as values and within limits.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/unique_fd.h"
#include "oci/limits.h"

struct archive;
struct archive_entry;

namespace homeslice::oci {

// One archive, read once from front to back. One thread at a time. Malformed or too large: INVALID_ARGUMENT.
class TarReader {
public:
    // A part of a member's content; what lies between blocks is a hole. Valid until the next call.
    struct Block {
        std::string_view data;
        int64_t offset = 0;
    };
    // Yields the next piece of the (compressed) archive, an empty one at its end.
    using Source = std::function<absl::StatusOr<std::string_view>()>;

    static absl::StatusOr<TarReader> openFile(const std::string& path, Limits limits);
    static absl::StatusOr<TarReader> openSource(Source source, Limits limits);

    // The next member, valid until the next call; null at the end.
    absl::StatusOr<archive_entry*> next();
    // The next block of the current member; nullopt at its end.
    absl::StatusOr<std::optional<Block>> nextBlock();

private:
    struct Input {
        UniqueFd fd;
        Source source;
        absl::Status status;  // why `source` failed
    };
    struct Free {
        void operator()(archive* reader) const;
    };

    TarReader(std::unique_ptr<Input> input, Limits limits);
    static absl::StatusOr<TarReader> open(std::unique_ptr<Input> input, Limits limits);
    absl::Status failure(const char* what) const;
    absl::Status checkLimits(archive_entry* entry);

    std::unique_ptr<Input> input_;  // outlives `reader_`, which reads from it
    std::unique_ptr<archive, Free> reader_;
    Limits limits_;
    uint64_t members_ = 0;
    uint64_t bytes_ = 0;
};

}  // namespace homeslice::oci
