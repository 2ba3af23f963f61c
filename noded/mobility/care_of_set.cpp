#include "noded/mobility/care_of_set.h"

#include "noded/mobility/programs.h"

namespace homeslice::mobility {
namespace {

// FNV-1a over the binding id: a sliver that moves keeps its flows.
uint32_t seedOf(uint16_t binding_id) {
    uint32_t hash = 2166136261U;
    for (const int shift : {0, 8}) hash = (hash ^ ((binding_id >> shift) & 0xff)) * 16777619U;
    return hash;
}

}  // namespace

hs_care_of_set makeCareOfSet(const CareOfSet& care_of) {
    hs_care_of_set set{};
    for (const CareOf& member : care_of.members) {
        if (set.count == HS_MAX_CARE_OF) break;
        set.members[set.count++] = {.address = toWire(member.address), .seed = seedOf(member.binding_id)};
    }
    return set;
}

}  // namespace homeslice::mobility
