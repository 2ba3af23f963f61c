#include "ctl/commands/targets.h"

#include <algorithm>

#include "base/status.h"

namespace homeslice::ctl {

v1::SliverId idOf(const SliverRef& ref) {
    v1::SliverId id;
    id.set_slice(ref.slice);
    id.set_index(ref.index.value_or(0));
    return id;
}

absl::StatusOr<std::vector<v1::SliverId>> targetsOf(Client& client, const SliverRef& ref) {
    if (ref.index) return std::vector<v1::SliverId>{idOf(ref)};
    HS_ASSIGN_OR_RETURN(const v1::ListSliversResponse response, client.listSlivers(ref.slice));
    std::vector<v1::SliverId> ids;
    for (const v1::Sliver& sliver : response.slivers()) ids.push_back(sliver.id());
    if (ids.empty()) {
        HS_RETURN_IF_ERROR(client.getSlice(ref.slice).status());
        return failedPrecondition("slice " + ref.slice + " has no slivers");
    }
    std::sort(ids.begin(), ids.end(),
              [](const v1::SliverId& a, const v1::SliverId& b) { return a.index() < b.index(); });
    return ids;
}

}  // namespace homeslice::ctl
