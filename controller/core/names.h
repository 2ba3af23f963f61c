// The names that every node's resolver answers for, from what is stored. Pure.
#pragma once

#include <string>
#include <vector>

#include "controller/core/views.h"
#include "spec/slice_names.h"

namespace homeslice::controller {

// A slice has its names from its creation to the request to delete it, whatever its slivers do.
SliceNames namesOf(const World& world, const Slice& slice);

// What a slice's slivers ask when their template names no servers of its own: their node's resolver.
void fillResolver(Resolver& resolver, const Ipv6Prefix& home_prefix, const std::string& domain);

}  // namespace homeslice::controller
