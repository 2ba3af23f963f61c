#include "noded/sliver/meanwhile.h"

#include "base/status.h"

namespace homeslice::sliver {
namespace {

constexpr const char* kMeanwhile = "homeslice/meanwhile";

}  // namespace

absl::Status changedMeanwhile(const SliverId& id) {
    absl::Status status = aborted("sliver " + id.toString() + " is desired otherwise by now");
    status.SetPayload(kMeanwhile, absl::Cord("1"));
    return status;
}

bool isChangedMeanwhile(const absl::Status& status) { return status.GetPayload(kMeanwhile).has_value(); }

}  // namespace homeslice::sliver
