#include "ctl/commands/watched_things.h"

#include <functional>
#include <utility>

#include "base/clock.h"
#include "ctl/commands/views.h"

namespace homeslice::ctl {
namespace {

const char* wordOf(v1::WatchKind kind) {
    switch (kind) {
        case v1::WATCH_KIND_NODE:
            return "node";
        case v1::WATCH_KIND_SLICE:
            return "slice";
        case v1::WATCH_KIND_SLIVER:
            return "sliver";
        case v1::WATCH_KIND_OPERATION:
            return "operation";
        default:
            return "unknown";
    }
}

Value line(v1::WatchKind kind, const std::string& name, const char* change, Value object) {
    return {{"kind", wordOf(kind)}, {"name", name}, {"change", change}, {"object", std::move(object)}};
}

}  // namespace

std::vector<Value> WatchedThings::take(const v1::WatchResponse& response, bool anew) {
    if (anew) ++picture_;
    std::vector<Value> lines;
    for (const v1::WatchEvent& event : response.events()) {
        if (std::optional<Value> line = lineOf(event)) lines.push_back(*std::move(line));
    }
    if (response.whole()) {
        std::erase_if(known_, [&](const auto& entry) {
            const bool lost = entry.second.picture != picture_;
            if (lost) lines.push_back(line(entry.first.kind, entry.first.name, "gone", nullptr));
            return lost;
        });
    }
    for (Value& each : lines) each["revision"] = response.revision();
    return lines;
}

std::optional<Value> WatchedThings::lineOf(const v1::WatchEvent& event) {
    switch (event.what_case()) {
        case v1::WatchEvent::kNode:
            return remember(v1::WATCH_KIND_NODE, event.node().name(), nodeValue(event.node()));
        case v1::WatchEvent::kSlice:
            return remember(v1::WATCH_KIND_SLICE, event.slice().name(), sliceValue(event.slice()));
        case v1::WatchEvent::kSliver:
            return remember(v1::WATCH_KIND_SLIVER, nameOf(event.sliver().id()), sliverValue(event.sliver()));
        case v1::WatchEvent::kOperation:
            return remember(v1::WATCH_KIND_OPERATION, event.operation().id(), operationValue(event.operation()));
        case v1::WatchEvent::kGone:
            known_.erase({event.gone().kind(), event.gone().name()});
            return line(event.gone().kind(), event.gone().name(), "gone", nullptr);
        case v1::WatchEvent::kLeaseWarning:
            return line(v1::WATCH_KIND_SLICE, event.lease_warning().slice(), "lease-ends",
                        {{"lease_end", formatUtc(fromUnixMicros(event.lease_warning().lease_end_us()))}});
        case v1::WatchEvent::WHAT_NOT_SET:
            break;
    }
    return line(v1::WATCH_KIND_UNSPECIFIED, "", "unknown", nullptr);  // of a newer controller
}

std::optional<Value> WatchedThings::remember(v1::WatchKind kind, const std::string& name, Value object) {
    const size_t digest = std::hash<std::string>()(object.dump(-1, ' ', false, Value::error_handler_t::replace));
    const auto [known, is_new] = known_.try_emplace({kind, name});
    const bool is_as_told = !is_new && known->second.digest == digest;
    known->second = {picture_, digest};
    if (is_as_told) return std::nullopt;
    return line(kind, name, "is", std::move(object));
}

}  // namespace homeslice::ctl
