// How much an archive may ask for. A bomb ends in an error after a bounded amount of work.
#pragma once

#include <cstddef>
#include <cstdint>

namespace homeslice::oci {

struct Limits {
    uint64_t members = 0;  // entries of one tar archive
    uint64_t bytes = 0;    // of their contents, and of the decompressed archive itself
};

// The files of one image, all layers together.
constexpr Limits kImageLimits{.members = 1'000'000, .bytes = uint64_t{32} << 30};
// The archive around the layers: each blob is a member.
constexpr Limits kLayoutLimits{.members = 4096, .bytes = uint64_t{64} << 30};

constexpr size_t kMaxLayers = 128;
constexpr size_t kMaxJsonSize = size_t{4} << 20;  // bytes of an index, a manifest or a configuration
constexpr size_t kMaxPathLength = 4095;           // bytes; PATH_MAX without its NUL
constexpr size_t kMaxPathDepth = 128;             // components

}  // namespace homeslice::oci
