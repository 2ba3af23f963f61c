#include "noded/mobility/binding_lines.h"

#include <netinet/in.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>

#include "noded/mobility/bpf/binding_lines.h"

namespace homeslice::mobility {
namespace {

// What tells groups apart is behind so many bits.
constexpr uint8_t kShortestPrefix = 32;

template <typename Value>
std::atomic_ref<Value> shared(Value& value) {
    return std::atomic_ref<Value>(value);
}

uint32_t lastWord(const hs_address& address) { return ntohl(address.words[3]); }

__u64& wordIn(hs_binding_line& line, const hs_address& home_address) {
    return line.words[lastWord(home_address) % HS_LINE_BINDINGS];
}

bool isFree(hs_binding_line& line) { return shared(line.group).load() == 0; }

bool bindsNobody(hs_binding_line& line) {
    return std::all_of(std::begin(line.words), std::end(line.words),
                       [](__u64& word) { return shared(word).load() >> HS_WORD_PLACE_SHIFT == 0; });
}

// Empties it first: what was counted late for those that had the line does not count for those that get it.
void giveTo(__u64 group, hs_binding_line& line) {
    for (__u64& word : line.words) shared(word).store(0);
    shared(line.group).store(group);
}

// While a word is in neither line, its packets go by `bindings`.
void moveWords(hs_binding_line& from, hs_binding_line& to) {
    for (size_t i = 0; i < HS_LINE_BINDINGS; ++i) shared(to.words[i]).fetch_add(shared(from.words[i]).exchange(0));
}

// Every displacement, each once, in turn from the one that is.
template <typename Suits>
std::optional<__u8> nextDisplacement(__u8 now, Suits suits) {
    for (auto next = static_cast<__u8>(now + 1); next != now; ++next)
        if (suits(next)) return next;
    return std::nullopt;
}

}  // namespace

absl::StatusOr<BindingLines> BindingLines::open(const Programs& programs, const Ipv6Prefix& prefix) {
    HS_ASSIGN_OR_RETURN(
        auto lines, MappedArray<hs_binding_line>::map(programs.bindingLines().fd(), HS_BINDING_LINES, "binding_lines"));
    HS_ASSIGN_OR_RETURN(auto displacements, MappedArray<hs_displacements>::map(programs.displacements().fd(),
                                                                               HS_DISPLACEMENT_LINES, "displacements"));
    return BindingLines(programs, std::move(lines), std::move(displacements), prefix);
}

BindingLines::BindingLines(const Programs& programs, MappedArray<hs_binding_line> lines,
                           MappedArray<hs_displacements> displacements, const Ipv6Prefix& prefix)
    : programs_(programs),
      lines_(std::move(lines)),
      displacements_(std::move(displacements)),
      groups_(HS_DISPLACEMENTS),
      prefix_(prefix) {
    takeOver();
}

void BindingLines::takeOver() {
    for (hs_binding_line& line : lines_) {
        if (isFree(line)) continue;
        // Not where the programs look for it: its noded died while it displaced a bucket.
        if (&line != &lineOf(line.group) || bindsNobody(line))
            giveTo(0, line);
        else
            groups_[bucketOf(line.group)].push_back(line.group);
    }
    const auto care_ofs = programs_.careOfs();
    for (__u32 place = 1; place < HS_CARE_OFS; ++place) {
        const Ipv6Address care_of = fromWire(care_ofs.get(place).value_or(hs_address{}));
        if (care_of.isUnspecified()) break;
        places_.emplace(care_of, place);
    }
}

void BindingLines::setPrefix(const Ipv6Prefix& prefix) {
    if (prefix == prefix_) return;
    for (std::vector<__u64>& groups : groups_) {
        for (const __u64 group : groups) giveTo(0, lineOf(group));
        groups.clear();
    }
    prefix_ = prefix;
}

// 0 when the home address may have no word.
__u64 BindingLines::groupOf(const hs_address& home_address) const {
    if (prefix_.length() < kShortestPrefix || !prefix_.contains(fromWire(home_address))) return 0;
    return ::groupOf(&home_address, lastWord(home_address));
}

__u8& BindingLines::displacementOf(__u64 bucket) const {
    return displacements_[bucket / HS_LINE_DISPLACEMENTS].of[bucket % HS_LINE_DISPLACEMENTS];
}

// The one that it has, if it has one.
hs_binding_line& BindingLines::lineOf(__u64 group) const {
    return lines_[::lineOf(group, displacementOf(bucketOf(group)))];
}

// Null when it has none.
__u64* BindingLines::find(const hs_address& home_address) const {
    const __u64 group = groupOf(home_address);
    if (group == 0) return nullptr;
    hs_binding_line& line = lineOf(group);
    return shared(line.group).load() == group ? &wordIn(line, home_address) : nullptr;
}

// Null when there is no room.
__u64* BindingLines::claim(const hs_address& home_address) {
    if (__u64* const word = find(home_address)) return word;
    const __u64 group = groupOf(home_address);
    if (group == 0 || (!isFree(lineOf(group)) && !makeRoom(group))) return nullptr;
    groups_[bucketOf(group)].push_back(group);
    hs_binding_line& line = lineOf(group);
    giveTo(group, line);
    return &wordIn(line, home_address);
}

// For one group more in its bucket.
bool BindingLines::makeRoom(__u64 group) {
    const __u64 bucket = bucketOf(group);
    std::vector<__u64> groups = groups_[bucket];
    groups.push_back(group);
    std::vector<__u64> places(groups.size());
    const auto found = nextDisplacement(displacementOf(bucket), [&](__u8 displacement) {
        for (size_t i = 0; i < groups.size(); ++i) {
            places[i] = ::lineOf(groups[i], displacement);
            const auto before = places.begin() + static_cast<ptrdiff_t>(i);
            if (!isFree(lines_[places[i]]) || std::find(places.begin(), before, places[i]) != before) return false;
        }
        return true;
    });
    if (found) displace(bucket, *found);
    return found.has_value();
}

// The lines that the groups of the bucket get are free.
void BindingLines::displace(__u64 bucket, __u8 displacement) {
    const auto target = [&](__u64 group) -> hs_binding_line& { return lines_[::lineOf(group, displacement)]; };
    for (const __u64 group : groups_[bucket]) {
        giveTo(group, target(group));
        moveWords(lineOf(group), target(group));
    }
    const __u8 before = shared(displacementOf(bucket)).exchange(displacement);
    for (const __u64 group : groups_[bucket]) {
        hs_binding_line& left = lines_[::lineOf(group, before)];
        moveWords(left, target(group));  // what was counted by programs that had found the old line
        giveTo(0, left);
    }
}

void BindingLines::release(__u64 group) {
    giveTo(0, lineOf(group));
    std::erase(groups_[bucketOf(group)], group);
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

bool BindingLines::takes(const hs_address& care_of) { return placeOf(care_of) != 0; }

void BindingLines::bind(const hs_address& home_address, const hs_address& care_of) {
    const __u64 place = placeOf(care_of);
    __u64* const word = claim(home_address);
    if (word == nullptr) return;
    __u64 before = shared(*word).load();
    while (!shared(*word).compare_exchange_weak(before, (before & HS_WORD_COUNTS) | place << HS_WORD_PLACE_SHIFT))
        continue;
}

hs_counts BindingLines::unbind(const hs_address& home_address) {
    __u64* const word = find(home_address);
    if (word == nullptr) return {};
    const hs_counts counted = countsIn(shared(*word).exchange(0));
    const __u64 group = groupOf(home_address);
    if (bindsNobody(lineOf(group))) release(group);
    return counted;
}

hs_counts BindingLines::counts(const hs_address& home_address) const {
    __u64* const word = find(home_address);
    return word == nullptr ? hs_counts{} : countsIn(shared(*word).load());
}

}  // namespace homeslice::mobility
