#include "ctl/client/exit_status.h"

#include "base/reason.h"

namespace homeslice::ctl {

namespace {

// Nothing to do with room on nodes.
bool isRefusalOfHaste(const absl::Status& status) {
    const std::string word = reasonOf(status).word;
    return word == reason::kRateLimited || word == reason::kTooManyWatches;
}

}  // namespace

int exitStatusOf(const absl::Status& status) {
    switch (status.code()) {
        case absl::StatusCode::kOk:
            return kExitOk;
        case absl::StatusCode::kResourceExhausted:
            return isRefusalOfHaste(status) ? kExitError : kExitPartial;
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
