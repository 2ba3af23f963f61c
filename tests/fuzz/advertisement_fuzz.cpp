// What anybody can send to a home agent's UDP port.
#include <algorithm>

#include "noded/mobility/advertisement_message.h"
#include "target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace homeslice;
    constexpr size_t kMeaning = 33;  // bytes; what follows is for later versions
    static const Ipv6Prefix kPrefix = Ipv6Prefix::parse("fd51:1ce::/48").value();
    const auto advertisement = mobility::decodeAdvertisement(kPrefix, {data, size});
    if (!advertisement) return 0;
    const auto again = mobility::encodeAdvertisement(kPrefix, *advertisement);
    fuzz::require(mobility::decodeAdvertisement(kPrefix, again).has_value(), "what was taken can be told on");
    fuzz::require(size == again.size() && std::equal(again.begin(), again.begin() + kMeaning, data),
                  "nothing else was taken");
    return 0;
}
