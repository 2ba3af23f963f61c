// Layers of an image: file system changes, with whiteouts for what a layer removes from those below it.
#pragma once

#include <absl/status/status.h>

#include <cstdint>

#include "oci/tar_reader.h"
#include "oci/tree_writer.h"

namespace homeslice::oci {

// Removes what the layer's whiteouts name. They speak of lower layers only, and may stand anywhere in the layer: apply
// them all before extractLayer(). Not needed for the lowest layer.
absl::Status applyWhiteouts(TarReader& layer, TreeWriter& tree);

// Writes the layer's files.
absl::Status extractLayer(TarReader& layer, TreeWriter& tree);

// Reads the layer to its end and checks its members' names and contents. Returns how many members it has.
absl::StatusOr<uint64_t> checkLayer(TarReader& layer);

// What an image may bring: see unpackOciArchive().
TreeRules imageRules();

}  // namespace homeslice::oci
