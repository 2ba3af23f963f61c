// What anybody can send to the tunnels' UDP port of a home agent, or of a node behind a NAT.
#include <algorithm>

#include "noded/mobility/keepalive_message.h"
#include "target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace homeslice;
    static const std::string kKey(mobility::kKeepaliveKeySize, 'k');
    const auto keepalive = mobility::decodeKeepalive({data, size});
    if (!keepalive) return 0;
    const auto again = mobility::encodeKeepalive(*keepalive, kKey);
    constexpr size_t kMeaning = 40;  // bytes; what follows is the code
    fuzz::require(size == again.size() && std::equal(again.begin(), again.begin() + kMeaning, data),
                  "nothing else was taken");
    const bool is_same = std::equal(again.begin(), again.end(), data);
    fuzz::require(mobility::isSignedWith({data, size}, kKey) == is_same, "there is one code for a keepalive and a key");
    return 0;
}
