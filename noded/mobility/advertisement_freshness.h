// Which advertisements are new and which somebody plays back. No clock decides: a home agent challenges a peer that it
// does not know yet with a nonce (an unpredictable number), and takes only advertisements that carry it, in the order
// of their sequence. A peer that has begun anew does not know the nonce, is challenged again, with another one, and
// from then on the words of its earlier life are void. So are challenges that answer no recent advertisement. A pure
// state machine but for the random numbers. Threads: one caller at a time.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

namespace homeslice::mobility {

using Nonce = std::array<uint8_t, 16>;

// What makes an advertisement or a challenge unlike all others.
struct Stamp {
    uint64_t life = 0;      // of the advertisement's sender, random; a challenge repeats that of what it answers
    uint64_t sequence = 0;  // of advertisements in that life to that peer; the same
    Nonce nonce{};          // in an advertisement: as the receiver wants it; in a challenge: as its sender wants it
};

// One home agent's dealings with one other.
class AdvertisementFreshness {
public:
    AdvertisementFreshness();

    // Of the next advertisement to the peer.
    Stamp next();
    // The peer has sent a challenge. True when it answers one of ours: it waits for the next advertisement.
    bool challenged(const Stamp& stamp);

    enum class Verdict { fresh, replayed, unknown };
    // The peer, or somebody who plays its words back, has sent an advertisement. What is unknown is to be answered with
    // challengeTo(stamp).
    Verdict heard(const Stamp& stamp);
    Stamp challengeTo(const Stamp& stamp);

private:
    // As a sender.
    uint64_t life_;
    uint64_t sequence_ = 0;
    uint64_t answered_ = 0;  // sequence of ours that the last challenge answered
    Nonce wanted_{};         // by the peer

    // As a receiver.
    std::optional<Nonce> accepted_;  // that the peer's advertisements carry
    std::optional<Nonce> offered_;   // in a challenge; accepted with the first advertisement that carries it
    uint64_t peer_life_ = 0;
    uint64_t peer_sequence_ = 0;  // the last one that was fresh
};

}  // namespace homeslice::mobility
