#include "controller/api/watch_convert.h"

#include "base/names.h"
#include "base/status.h"
#include "controller/api/convert.h"

namespace homeslice::controller {
namespace {

absl::StatusOr<ChangeKind> fromKind(int kind) {
    switch (kind) {
        case v1::WATCH_KIND_NODE:
            return ChangeKind::node;
        case v1::WATCH_KIND_SLICE:
            return ChangeKind::slice;
        case v1::WATCH_KIND_SLIVER:
            return ChangeKind::sliver;
        case v1::WATCH_KIND_OPERATION:
            return ChangeKind::operation;
        default:
            return invalidArgument("a kind of things to watch is unknown");
    }
}

v1::WatchKind toKind(ChangeKind kind) {
    switch (kind) {
        case ChangeKind::node:
            return v1::WATCH_KIND_NODE;
        case ChangeKind::slice:
        case ChangeKind::lease:
            return v1::WATCH_KIND_SLICE;
        case ChangeKind::sliver:
            return v1::WATCH_KIND_SLIVER;
        case ChangeKind::operation:
            return v1::WATCH_KIND_OPERATION;
    }
    return v1::WATCH_KIND_UNSPECIFIED;
}

struct Writer {
    v1::WatchEvent& out;

    void operator()(const NodeView& view) const { toProto(view, *out.mutable_node()); }
    void operator()(const SliceView& view) const { toProto(view, *out.mutable_slice()); }
    void operator()(const SliverView& view) const { toProto(view, *out.mutable_sliver()); }
    void operator()(const Operation& operation) const { toProto(operation, *out.mutable_operation()); }
    void operator()(const LeaseWarning& warning) const {
        out.mutable_lease_warning()->set_slice(warning.slice);
        out.mutable_lease_warning()->set_lease_end_us(warning.lease_end_us);
    }
    void operator()(const ChangedThing& gone) const {
        const bool sliver = gone.kind == ChangeKind::sliver;
        out.mutable_gone()->set_kind(toKind(gone.kind));
        out.mutable_gone()->set_name(sliver ? SliverId{gone.name, gone.index}.toString() : gone.name);
    }
};

}  // namespace

absl::StatusOr<WatchRequest> fromWatch(const Caller& caller, const v1::WatchRequest& request) {
    if (!request.slice().empty()) HS_RETURN_IF_ERROR(checkName("slice name", request.slice()));
    WatchRequest result;
    result.caller = caller;
    result.revision = request.revision();
    result.slice = request.slice();
    for (const int each : request.kinds()) {
        HS_ASSIGN_OR_RETURN(const ChangeKind kind, fromKind(each));
        result.kinds.insert(kind);
    }
    return result;
}

void toProto(const WatchBatch& batch, v1::WatchResponse& out) {
    out.set_revision(batch.revision);
    out.set_whole(batch.whole);
    for (const WatchEvent& event : batch.events) std::visit(Writer{*out.add_events()}, event);
}

}  // namespace homeslice::controller
