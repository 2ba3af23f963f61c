// A home agent's bindings in lines of the processor's caches: whatever a line knows or does not, packets go where they
// are bound, and are counted.
#include <netinet/in.h>

#include <atomic>
#include <map>
#include <thread>

#include "noded/mobility/bpf/binding_lines.h"
#include "noded/mobility/programs_fixture.h"

namespace homeslice::mobility {
namespace {

class BindingLinesTest : public ProgramsTest {
protected:
    void bind(const Ipv6Address& home_address, std::initializer_list<Ipv6Address> care_of) {
        ASSERT_EQ(forwarder_->setCareOf(home_address, careOf(care_of)), absl::OkStatus());
    }
    Result send(const Ipv6Address& home_address) {
        return fromUplink(ipv6(kClient, home_address, IPPROTO_UDP, udp(1, 2)));
    }
    Ipv6Address sentTo(const Ipv6Address& home_address) { return outerDestination(send(home_address).packet); }
    uint64_t packetsOf(const Ipv6Address& home_address) {
        return forwarder_->countersOf({.home_address = home_address})->packets;
    }
    void restart() {
        programs_.reset();
        forwarder_.reset();
        open(true);
    }

    static uint32_t lastWordOf(const hs_address& home_address) { return ntohl(home_address.words[3]); }
    static __u64 groupOf(const hs_address& home_address) { return ::groupOf(&home_address, lastWordOf(home_address)); }
    // The word that the programs would find; null when there is none.
    std::optional<__u64> wordOf(const Ipv6Address& home_address) {
        const hs_address key = toWire(home_address);
        const auto line = lineOfGroup(groupOf(key));
        if (!line) return std::nullopt;
        return programs_->bindingLines().get(*line)->words[lastWordOf(key) % HS_LINE_BINDINGS];
    }
    bool hasWord(const Ipv6Address& home_address) {
        return wordOf(home_address).value_or(0) >> HS_WORD_PLACE_SHIFT != 0;
    }
    __u8 displacementOf(__u64 group) {
        const auto bucket = static_cast<__u32>(bucketOf(group));
        return programs_->displacements().get(bucket / HS_LINE_DISPLACEMENTS)->of[bucket % HS_LINE_DISPLACEMENTS];
    }
    void setDisplacement(__u64 group, __u8 displacement) {
        const auto bucket = static_cast<__u32>(bucketOf(group));
        hs_displacements line = *programs_->displacements().get(bucket / HS_LINE_DISPLACEMENTS);
        line.of[bucket % HS_LINE_DISPLACEMENTS] = displacement;
        ASSERT_EQ(programs_->displacements().put(bucket / HS_LINE_DISPLACEMENTS, line), absl::OkStatus());
    }
    void setWord(const Ipv6Address& home_address, __u64 word) {
        const hs_address key = toWire(home_address);
        const auto at = lineOfGroup(groupOf(key));
        ASSERT_TRUE(at);
        hs_binding_line line = *programs_->bindingLines().get(*at);
        line.words[lastWordOf(key) % HS_LINE_BINDINGS] = word;
        ASSERT_EQ(programs_->bindingLines().put(*at, line), absl::OkStatus());
    }

private:
    std::optional<__u32> lineOfGroup(__u64 group) {
        const auto at = static_cast<__u32>(lineOf(group, displacementOf(group)));
        return programs_->bindingLines().get(at)->group == group ? std::optional(at) : std::nullopt;
    }
};

TEST_F(BindingLinesTest, NeighboursHaveTheirOwnCareOfAddressesAndCounts) {
    open(true);
    std::map<Ipv6Address, Ipv6Address> bound;
    for (uint64_t i = 1; i <= 3UL * HS_LINE_BINDINGS; ++i)
        bound[kSlice.withInterfaceId(0x10000 + i)] = i % 2 == 0 ? kPeer : kPeer3;
    for (const auto& [home_address, care_of] : bound) bind(home_address, {care_of});
    uint64_t times = 0;
    for (const auto& [home_address, care_of] : bound) {
        EXPECT_TRUE(hasWord(home_address));
        ++times;
        for (uint64_t i = 0; i < times; ++i) EXPECT_EQ(sentTo(home_address), care_of);
    }
    times = 0;
    for (const auto& [home_address, care_of] : bound) EXPECT_EQ(packetsOf(home_address), ++times);
}

TEST_F(BindingLinesTest, AnAddressWithoutABindingBetweenThoseWithOneIsTheKernels) {
    open(true);
    bind(kSlice.withInterfaceId(0x10001), {kPeer});
    bind(kSlice.withInterfaceId(0x10003), {kPeer});
    EXPECT_EQ(send(kSlice.withInterfaceId(0x10002)).action, static_cast<uint32_t>(TC_ACT_OK));
    bind(kSlice.withInterfaceId(0x10003), {});
    EXPECT_EQ(send(kSlice.withInterfaceId(0x10003)).action, static_cast<uint32_t>(TC_ACT_OK));
    EXPECT_EQ(sentTo(kSlice.withInterfaceId(0x10001)), kPeer);
}

TEST_F(BindingLinesTest, CountsGoOnThroughMovesAndSharing) {
    open(true);
    bind(kRemote, {kPeer});
    send(kRemote);
    bind(kRemote, {kPeer3});
    EXPECT_EQ(sentTo(kRemote), kPeer3);
    bind(kRemote, {kPeer, kPeer3});  // with counts of each
    EXPECT_FALSE(hasWord(kRemote));
    send(kRemote);
    bind(kRemote, {kPeer});
    EXPECT_EQ(sentTo(kRemote), kPeer);
    EXPECT_EQ(packetsOf(kRemote), 3u);
    bind(kRemote, {});
    bind(kRemote, {kPeer});
    EXPECT_EQ(packetsOf(kRemote), 0u);
}

TEST_F(BindingLinesTest, CountsOfAHalfFullWordMoveOn) {
    open(true);
    bind(kRemote, {kPeer});
    send(kRemote);
    const uint64_t length = forwarder_->countersOf({.home_address = kRemote})->bytes;
    const __u64 place = *wordOf(kRemote) & ~HS_WORD_COUNTS;
    const uint64_t packets = (1U << 15) - 1;
    const uint64_t bytes = (1U << 31) - 1;
    uint64_t packets_so_far = 0;
    uint64_t bytes_so_far = 0;
    for (const auto& [almost_packets, almost_bytes] :
         {std::pair(packets, uint64_t{7}), std::pair(uint64_t{7}, bytes)}) {
        setWord(kRemote, place | almost_packets << HS_WORD_PACKETS_SHIFT | almost_bytes);
        EXPECT_EQ(sentTo(kRemote), kPeer);
        EXPECT_EQ(*wordOf(kRemote), place);
        packets_so_far += almost_packets + 1;
        bytes_so_far += almost_bytes + length;
        EXPECT_EQ(packetsOf(kRemote), packets_so_far);
        EXPECT_EQ(forwarder_->countersOf({.home_address = kRemote})->bytes, bytes_so_far);
        EXPECT_EQ(sentTo(kRemote), kPeer);
        EXPECT_EQ(packetsOf(kRemote), packets_so_far + 1);
    }
}

// The first address of a group at or behind `from` that is as wanted.
template <typename Wanted>
Ipv6Address addressOfGroup(uint64_t from, Wanted wanted) {
    for (uint64_t id = from - from % HS_LINE_BINDINGS; id < UINT32_MAX; id += HS_LINE_BINDINGS) {
        const Ipv6Address address = kSlice.withInterfaceId(id);
        const hs_address key = toWire(address);
        if (wanted(::groupOf(&key, static_cast<__u32>(id)))) return address;
    }
    ADD_FAILURE() << "no such group";
    return {};
}

// `first` and `mate`, which displaces it because `other` is in its way.
struct Displaced {
    Ipv6Address first;
    Ipv6Address other;
    Ipv6Address mate;
};

Displaced displaced() {
    const auto group_of = [](const Ipv6Address& address) {
        const hs_address key = toWire(address);
        return ::groupOf(&key, ntohl(key.words[3]));
    };
    Displaced result;
    result.first = kSlice.withInterfaceId(0x10000);
    const __u64 first = group_of(result.first);
    result.mate = addressOfGroup(0x20000, [&](__u64 group) { return bucketOf(group) == bucketOf(first); });
    const __u64 mate = group_of(result.mate);
    result.other = addressOfGroup(
        0x20000, [&](__u64 group) { return lineOf(group, 0) == lineOf(mate, 0) && bucketOf(group) != bucketOf(mate); });
    return result;
}

TEST_F(BindingLinesTest, WhoIsDisplacedIsForwardedAndCountedAsBefore) {
    open(true);
    const auto [first, other, mate] = displaced();
    const Ipv6Address neighbour = first.withInterfaceId(first.interfaceId() + 1);
    bind(first, {kPeer});
    bind(neighbour, {kPeer3});
    send(first);
    bind(other, {kPeer3});
    EXPECT_EQ(displacementOf(groupOf(toWire(first))), 0);
    bind(mate, {kHomeAgent});
    EXPECT_NE(displacementOf(groupOf(toWire(first))), 0);
    for (const Ipv6Address& each : {first, neighbour, other, mate}) EXPECT_TRUE(hasWord(each));
    EXPECT_EQ(packetsOf(first), 1u);
    EXPECT_EQ(sentTo(first), kPeer);
    EXPECT_EQ(packetsOf(first), 2u);
    EXPECT_EQ(sentTo(neighbour), kPeer3);
    EXPECT_EQ(sentTo(mate), kHomeAgent);
    bind(first, {});
    EXPECT_EQ(sentTo(neighbour), kPeer3);
    bind(neighbour, {});
    EXPECT_EQ(send(first).action, static_cast<uint32_t>(TC_ACT_OK));
    EXPECT_EQ(sentTo(mate), kHomeAgent);
    restart();
    bind(first, {kPeer});
    for (const Ipv6Address& each : {first, other, mate}) EXPECT_TRUE(hasWord(each));
    EXPECT_EQ(sentTo(first), kPeer);
    EXPECT_EQ(sentTo(mate), kHomeAgent);
}

// Packets on one processor, displacements on another.
TEST_F(BindingLinesTest, PacketsFindTheirWayWhileTheirLineIsDisplaced) {
    open(true);
    const auto [first, other, mate] = displaced();
    const __u64 group = groupOf(toWire(mate));
    const auto give = [&](__u64 owner, __u8 displacement) {
        const auto at = static_cast<__u32>(lineOf(group, displacement));
        ASSERT_EQ(programs_->bindingLines().put(at, {.group = owner, .words = {}}), absl::OkStatus());
    };
    bind(first, {kPeer});
    std::atomic<uint64_t> sent = 0;
    std::atomic<uint64_t> astray = 0;
    std::jthread sender([&, of = first](const std::stop_token& stop) {
        for (; !stop.stop_requested(); ++sent)
            if (sentTo(of) != kPeer) ++astray;
    });
    constexpr uint64_t kTimes = 500;
    for (uint64_t i = 0; i < kTimes; ++i) {
        const __u8 before = displacementOf(group);
        give(group + 1000, before);  // in its mate's way
        bind(mate, {kPeer3});
        ASSERT_NE(displacementOf(group), before);
        bind(mate, {});
        give(0, before);
        const uint64_t so_far = sent;
        while (sent == so_far) std::this_thread::yield();
    }
    sender.request_stop();
    sender.join();
    EXPECT_EQ(astray, 0u);
    EXPECT_TRUE(hasWord(first));
    EXPECT_LE(packetsOf(first), sent);
    EXPECT_GE(packetsOf(first) + kTimes, sent) << "at most a packet each time";
}

// Before or after the programs were told where to look.
TEST_F(BindingLinesTest, ANodedThatDiedWhileItDisplacedIsCompleted) {
    open(true);
    const auto [first, other, mate] = displaced();
    bind(first, {kPeer});
    bind(mate, {kPeer3});
    const __u64 group = groupOf(toWire(first));
    const auto at = [&](int displacement) {
        return static_cast<__u32>(lineOf(group, static_cast<__u8>(displacement)));
    };
    const hs_binding_line line = *programs_->bindingLines().get(at(0));
    ASSERT_EQ(programs_->bindingLines().put(at(1), line), absl::OkStatus());
    for (const int displacement : {0, 1}) {
        setDisplacement(group, static_cast<__u8>(displacement));
        restart();
        EXPECT_TRUE(hasWord(first));
        EXPECT_TRUE(hasWord(mate));
        EXPECT_EQ(sentTo(first), kPeer);
        EXPECT_EQ(sentTo(mate), kPeer3);
        EXPECT_EQ(programs_->bindingLines().get(at(1 - displacement))->group, 0u);
        ASSERT_EQ(programs_->bindingLines().put(at(1), line), absl::OkStatus());
    }
}

TEST_F(BindingLinesTest, WhoFindsNoRoomIsForwardedAllTheSame) {
    open(true);
    const __u64 group = groupOf(toWire(kRemote));
    const auto give = [&](__u64 owner, int displacement) {
        const auto at = static_cast<__u32>(lineOf(group, static_cast<__u8>(displacement)));
        ASSERT_EQ(programs_->bindingLines().put(at, {.group = owner, .words = {}}), absl::OkStatus());
    };
    for (int displacement = 0; displacement < 256; ++displacement) give(group + 1000, displacement);
    bind(kRemote, {kPeer});
    EXPECT_FALSE(hasWord(kRemote));
    EXPECT_EQ(sentTo(kRemote), kPeer);
    EXPECT_EQ(packetsOf(kRemote), 1u);
    give(0, 200);
    bind(kRemote, {kPeer3});
    EXPECT_TRUE(hasWord(kRemote));
    EXPECT_EQ(sentTo(kRemote), kPeer3);
    EXPECT_EQ(packetsOf(kRemote), 2u);
}

// As many groups as a million neighbours have, in slices that do not know of each other.
TEST_F(BindingLinesTest, NearlyAllFindRoom) {
    open(true);
    constexpr uint32_t kSlices = 1000;
    constexpr uint32_t kGroupsOfEach = 145;
    const Ipv6Prefix home = prefix("fd51:1ce::/48");
    std::vector<Ipv6Address> bound;
    for (uint32_t slice = 1; slice <= kSlices; ++slice)
        for (uint32_t i = 0; i < kGroupsOfEach; ++i)
            bound.push_back(home.subnet(slice, 64)->address().withInterfaceId(0x10000 + i * HS_LINE_BINDINGS));
    for (size_t i = 0; i < bound.size(); ++i) bind(bound[i], {i % 2 == 0 ? kPeer : kPeer3});
    size_t without = 0;
    for (size_t i = 0; i < bound.size(); ++i) {
        if (!hasWord(bound[i])) ++without;
        if (i % 10 != 0) continue;
        ASSERT_EQ(sentTo(bound[i]), i % 2 == 0 ? kPeer : kPeer3);
    }
    EXPECT_LT(without, bound.size() / 200);
    for (const Ipv6Address& each : bound) bind(each, {});
    for (__u32 at = 0; at < HS_BINDING_LINES; ++at) ASSERT_EQ(programs_->bindingLines().get(at)->group, 0u);
}

TEST_F(BindingLinesTest, InterfaceIdentifiersOfMoreThan32BitsHaveNoWord) {
    open(true);
    const Ipv6Address narrow = kSlice.withInterfaceId(0x10009);
    const Ipv6Address wide = kSlice.withInterfaceId(0x1'0000'0000ULL + 0x10009);
    bind(narrow, {kPeer});
    EXPECT_EQ(send(wide).action, static_cast<uint32_t>(TC_ACT_OK));
    bind(wide, {kPeer3});
    EXPECT_FALSE(hasWord(wide));
    EXPECT_EQ(sentTo(narrow), kPeer);
    EXPECT_EQ(sentTo(wide), kPeer3);
}

TEST_F(BindingLinesTest, AnotherHomePrefixHasOtherBindings) {
    open(true);
    bind(kRemote, {kPeer});
    ASSERT_TRUE(hasWord(kRemote));
    // The same bits behind the first 32.
    const Ipv6Address other = address("fd52:1ce:0:1::1:9");
    ASSERT_EQ(groupOf(toWire(other)), groupOf(toWire(kRemote)));
    const auto set_prefix = [&](const char* text) {
        host_->run([&] { ASSERT_EQ(forwarder_->setHomePrefix(prefix(text), {}), absl::OkStatus()); });
    };
    set_prefix("fd52:1ce::/48");
    EXPECT_EQ(send(other).action, static_cast<uint32_t>(TC_ACT_OK));
    bind(other, {kPeer3});
    EXPECT_EQ(sentTo(other), kPeer3);
    // Both are below this one, and cannot be told apart.
    set_prefix("fd00::/8");
    EXPECT_FALSE(hasWord(other));
    EXPECT_EQ(sentTo(kRemote), kPeer);
    EXPECT_EQ(sentTo(other), kPeer3);
    set_prefix("fd51:1ce::/48");
    EXPECT_TRUE(hasWord(kRemote)) << "bindings that were there before";
    EXPECT_EQ(sentTo(kRemote), kPeer);
}

TEST_F(BindingLinesTest, OutlivesNodedWithItsCounts) {
    open(true);
    bind(kRemote, {kPeer});
    bind(kOtherSlice, {kPeer3});
    send(kRemote);
    restart();
    EXPECT_EQ(packetsOf(kRemote), 1u);
    bind(kSlice, {kHomeAgent});
    EXPECT_EQ(sentTo(kRemote), kPeer);
    EXPECT_EQ(sentTo(kOtherSlice), kPeer3);
    EXPECT_EQ(sentTo(kSlice), kHomeAgent);
    EXPECT_EQ(packetsOf(kRemote), 2u);
}

// It writes to `bindings` first.
TEST_F(BindingLinesTest, ANodedThatDiedBetweenItsTwoWritesIsCompleted) {
    open(true);
    bind(kRemote, {kPeer});
    hs_binding moved = *programs_->bindings().get(toWire(kRemote));
    moved.care_of = toWire(kPeer3);
    ASSERT_EQ(programs_->bindings().put(toWire(kRemote), moved), absl::OkStatus());
    ASSERT_EQ(programs_->bindings().put(toWire(kOtherSlice), moved), absl::OkStatus());
    restart();
    EXPECT_EQ(sentTo(kRemote), kPeer3);
    EXPECT_TRUE(hasWord(kOtherSlice));
    EXPECT_EQ(sentTo(kOtherSlice), kPeer3);
}

// Forged sources are known by the lines too.
TEST_F(BindingLinesTest, ASliverIsWhereItsWordSays) {
    open(true);
    bind(kRemote, {kPeer});
    bind(kOtherSlice, {kPeer3});
    ASSERT_TRUE(hasWord(kRemote));
    const Bytes inner = ipv6(kRemote, kOtherSlice, IPPROTO_UDP, udp(1, 2));
    EXPECT_EQ(fromUplink(tunnel(kPeer3, inner)).action, static_cast<uint32_t>(TC_ACT_SHOT));
    EXPECT_EQ(counters().dropped_spoofed_source, 1u);
    EXPECT_EQ(outerDestination(fromUplink(tunnel(kPeer, inner)).packet), kPeer3);
}

TEST_F(BindingLinesTest, MoreCareOfAddressesThanThereArePlacesFor) {
    open(true);
    for (uint64_t i = 0; i < HS_CARE_OFS + 10; ++i)
        bind(kSlice.withInterfaceId(0x10001 + i % 100), {kPeer.withInterfaceId(0x100 + i)});
    for (uint64_t i = HS_CARE_OFS + 10 - 100; i < HS_CARE_OFS + 10; ++i)
        EXPECT_EQ(sentTo(kSlice.withInterfaceId(0x10001 + i % 100)), kPeer.withInterfaceId(0x100 + i));
    // Between those that have one and those that do not, with its counts.
    bind(kRemote, {});
    bind(kRemote, {kPeer.withInterfaceId(0x100)});
    ASSERT_TRUE(hasWord(kRemote));
    send(kRemote);
    bind(kRemote, {kPeer.withInterfaceId(0x200000)});
    EXPECT_FALSE(hasWord(kRemote));
    EXPECT_EQ(sentTo(kRemote), kPeer.withInterfaceId(0x200000));
    bind(kRemote, {kPeer.withInterfaceId(0x100)});
    EXPECT_EQ(sentTo(kRemote), kPeer.withInterfaceId(0x100));
    EXPECT_EQ(packetsOf(kRemote), 3u);
}

}  // namespace
}  // namespace homeslice::mobility
