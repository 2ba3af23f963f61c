// Names of the ends of slivers' links.
#pragma once

#include <string>

#include "noded/launcher/client.h"

namespace homeslice::isolation {

inline const std::string kLinkPrefix = "hs-sliver";  // host end
inline const std::string kInnerLink = "eth0";

// Of the host end. Unique on the node, since the id range is; at most 14 characters, of 15 that the kernel takes.
std::string linkNameOf(const launcher::IdRange& ids);

}  // namespace homeslice::isolation
