#include "ctl/client/exit_status.h"

namespace homeslice::ctl {

int exitStatusOf(const absl::Status& status) {
    switch (status.code()) {
        case absl::StatusCode::kOk:
            return kExitOk;
        case absl::StatusCode::kResourceExhausted:
            return kExitPartial;
        case absl::StatusCode::kNotFound:
            return kExitNotFound;
        case absl::StatusCode::kAlreadyExists:
        case absl::StatusCode::kAborted:
        case absl::StatusCode::kFailedPrecondition:
            return kExitConflict;
        case absl::StatusCode::kDeadlineExceeded:
            return kExitTimeout;
        case absl::StatusCode::kCancelled:
            return kExitInterrupted;
        default:
            return kExitError;
    }
}

}  // namespace homeslice::ctl
