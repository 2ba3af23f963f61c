#include "noded/mobility/binding_lines.h"

#include <netinet/in.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "base/status.h"
#include "noded/mobility/bpf/binding_lines.h"

namespace homeslice::mobility {
namespace {

// What tells groups apart is behind so many bits.
constexpr uint8_t kShortestPrefix = 32;
constexpr size_t kBytes = size_t{HS_BINDING_LINES} * sizeof(hs_binding_line);

std::atomic_ref<__u64> shared(__u64& word) { return std::atomic_ref<__u64>(word); }

uint32_t lastWord(const hs_address& address) { return ntohl(address.words[3]); }

bool isFree(hs_binding_line& line) {
    return std::all_of(std::begin(line.words), std::end(line.words),
                       [](__u64& word) { return shared(word).load() >> HS_WORD_PLACE_SHIFT == 0; });
}

// What was counted late for those that had the line does not count for those that get it.
void giveTo(__u64 group, hs_binding_line& line) {
    for (__u64& word : line.words) shared(word).store(0);
    shared(line.group).store(group);
}

}  // namespace

absl::StatusOr<BindingLines> BindingLines::open(const Programs& programs, const Ipv6Prefix& prefix) {
    void* const memory = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, programs.bindingLines().fd(), 0);
    if (memory == MAP_FAILED) return errnoStatus(errno, "map the lines of bindings");
    return BindingLines(programs, {static_cast<hs_binding_line*>(memory), HS_BINDING_LINES}, prefix);
}

BindingLines::BindingLines(const Programs& programs, std::span<hs_binding_line> lines, const Ipv6Prefix& prefix)
    : programs_(programs), lines_(lines), prefix_(prefix) {
    const auto care_ofs = programs.careOfs();
    for (__u32 place = 1; place < HS_CARE_OFS; ++place) {
        const Ipv6Address care_of = fromWire(care_ofs.get(place).value_or(hs_address{}));
        if (care_of.isUnspecified()) break;
        places_.emplace(care_of, place);
    }
}

BindingLines::BindingLines(BindingLines&& other) noexcept
    : programs_(other.programs_),
      lines_(std::exchange(other.lines_, {})),
      prefix_(other.prefix_),
      places_(std::move(other.places_)) {}

BindingLines::~BindingLines() {
    if (!lines_.empty()) ::munmap(lines_.data(), kBytes);
}

void BindingLines::setPrefix(const Ipv6Prefix& prefix) {
    if (prefix == prefix_) return;
    if (prefix_.length() >= kShortestPrefix)
        for (hs_binding_line& line : lines_) giveTo(0, line);
    prefix_ = prefix;
}

bool BindingLines::mayHaveWord(const hs_address& home_address) const {
    return prefix_.length() >= kShortestPrefix && prefix_.contains(fromWire(home_address));
}

// Null when it has none.
__u64* BindingLines::find(const hs_address& home_address) const {
    const uint32_t last = lastWord(home_address);
    const __u64 group = groupOf(&home_address, last);
    if (group == 0 || !mayHaveWord(home_address)) return nullptr;
    __u64 at = lineOf(group);
    for (int i = 0; i < HS_LINE_PROBES; ++i, at = lineAfter(at))
        if (shared(lines_[at].group).load() == group) return &lines_[at].words[last % HS_LINE_BINDINGS];
    return nullptr;
}

// Null when all lines that could be its own are others'. The programs stop at a line that was never anybody's: so a
// line whose group has gone stays that group's until another one gets it.
__u64* BindingLines::claim(const hs_address& home_address) const {
    if (__u64* const word = find(home_address)) return word;
    const uint32_t last = lastWord(home_address);
    const __u64 group = groupOf(&home_address, last);
    if (group == 0 || !mayHaveWord(home_address)) return nullptr;
    __u64 at = lineOf(group);
    for (int i = 0; i < HS_LINE_PROBES; ++i, at = lineAfter(at)) {
        if (!isFree(lines_[at])) continue;
        giveTo(group, lines_[at]);
        return &lines_[at].words[last % HS_LINE_BINDINGS];
    }
    return nullptr;
}

// 0 when it can have none.
__u64 BindingLines::placeOf(const hs_address& care_of) {
    const Ipv6Address address = fromWire(care_of);
    if (const auto known = places_.find(address); known != places_.end()) return known->second;
    const __u64 place = places_.size() + 1;
    if (place >= HS_CARE_OFS || !programs_.careOfs().put(static_cast<__u32>(place), care_of).ok()) return 0;
    places_.emplace(address, place);
    return place;
}

void BindingLines::bind(const hs_address& home_address, const hs_address& care_of) {
    const __u64 place = placeOf(care_of);
    __u64* const word = place == 0 ? find(home_address) : claim(home_address);
    if (word == nullptr) return;
    __u64 before = shared(*word).load();
    while (!shared(*word).compare_exchange_weak(before, (before & HS_WORD_COUNTS) | place << HS_WORD_PLACE_SHIFT))
        continue;
}

hs_counts BindingLines::unbind(const hs_address& home_address) {
    __u64* const word = find(home_address);
    return word == nullptr ? hs_counts{} : countsIn(shared(*word).exchange(0));
}

hs_counts BindingLines::counts(const hs_address& home_address) const {
    __u64* const word = find(home_address);
    return word == nullptr ? hs_counts{} : countsIn(shared(*word).load());
}

}  // namespace homeslice::mobility
