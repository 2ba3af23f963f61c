#include "noded/mobility/care_of_set.h"

#include <algorithm>
#include <map>

#include "noded/mobility/programs.h"

namespace homeslice::mobility {
namespace {

// FNV-1a over the address and how many of it came before.
uint32_t seedOf(const Ipv6Address& address, uint32_t occurrence) {
    uint32_t hash = 2166136261U;
    for (const uint8_t byte : address.bytes()) hash = (hash ^ byte) * 16777619U;
    for (int shift = 0; shift < 32; shift += 8) hash = (hash ^ ((occurrence >> shift) & 0xff)) * 16777619U;
    return hash;
}

std::vector<Ipv6Address> firstDifferent(const std::vector<Ipv6Address>& care_of) {
    std::vector<Ipv6Address> result;
    for (const Ipv6Address& address : care_of)
        if (std::find(result.begin(), result.end(), address) == result.end() && result.size() < HS_MAX_CARE_OF)
            result.push_back(address);
    return result;
}

}  // namespace

hs_care_of_set makeCareOfSet(const std::vector<Ipv6Address>& care_of) {
    hs_care_of_set set{};
    std::map<Ipv6Address, uint32_t> occurrences;
    for (const Ipv6Address& address : care_of.size() > HS_MAX_CARE_OF ? firstDifferent(care_of) : care_of)
        set.members[set.count++] = {.address = toWire(address), .seed = seedOf(address, occurrences[address]++)};
    return set;
}

}  // namespace homeslice::mobility
