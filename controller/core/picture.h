// What a node should hold and know, from what is stored. Pure.
#pragma once

#include <string>

#include "base/ipv6.h"
#include "controller/model/model.h"
#include "controller/store/store.h"

namespace homeslice::controller {

Picture pictureFor(const std::string& node, const Snapshot& snapshot, const Ipv6Prefix& home_prefix,
                   const std::string& domain);

}  // namespace homeslice::controller
