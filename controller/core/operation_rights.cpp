#include "controller/core/operation_rights.h"

namespace homeslice::controller {

absl::Status checkOperationRight(const Caller& caller, const Operation& operation, const Snapshot& snapshot) {
    const std::string& slice = operation.subject.slice;
    if (slice.empty()) {
        const bool of_image = operation.kind == OperationKind::importImage;
        return checkRight(caller, of_image ? Right::manage_images : Right::manage_nodes);
    }
    const auto found = snapshot.slices.find(slice);
    // Whose a slice was that is gone nobody knows any more.
    if (found == snapshot.slices.end()) return checkRight(caller, Right::manage_nodes);
    return checkRight(caller, Right::use_slice, found->second);
}

}  // namespace homeslice::controller
