#include "noded/mobility/advertisement_freshness.h"

#include <sys/random.h>

#include <cerrno>
#include <cstdlib>

namespace homeslice::mobility {
namespace {

// So few bytes come whole, and without waiting once the machine has booted.
template <typename T>
T randomOf() {
    T value{};
    while (::getrandom(&value, sizeof value, 0) != sizeof value)
        if (errno != EINTR) std::abort();  // there is no such kernel; a number that can be guessed would be worse
    return value;
}

}  // namespace

AdvertisementFreshness::AdvertisementFreshness() : life_(randomOf<uint64_t>()) {}

Stamp AdvertisementFreshness::next() { return {.life = life_, .sequence = ++sequence_, .nonce = wanted_}; }

bool AdvertisementFreshness::challenged(const Stamp& stamp) {
    if (stamp.life != life_ || stamp.sequence <= answered_ || stamp.sequence > sequence_) return false;
    answered_ = stamp.sequence;
    wanted_ = stamp.nonce;
    return true;
}

AdvertisementFreshness::Verdict AdvertisementFreshness::heard(const Stamp& stamp) {
    if (offered_ && stamp.nonce == *offered_) {
        accepted_ = offered_;
        offered_.reset();
        peer_life_ = stamp.life;
        peer_sequence_ = stamp.sequence;
        return Verdict::fresh;
    }
    if (!accepted_ || stamp.nonce != *accepted_) return Verdict::unknown;
    if (stamp.life != peer_life_ || stamp.sequence <= peer_sequence_) return Verdict::replayed;
    peer_sequence_ = stamp.sequence;
    return Verdict::fresh;
}

Stamp AdvertisementFreshness::challengeTo(const Stamp& stamp) {
    if (!offered_) offered_ = randomOf<Nonce>();
    return {.life = stamp.life, .sequence = stamp.sequence, .nonce = *offered_};
}

}  // namespace homeslice::mobility
