#include "base/status.h"

#include <absl/strings/cord.h>

#include <cerrno>
#include <cstring>

namespace homeslice {
namespace {

constexpr char kErrnoPayload[] = "homeslice/errno";

absl::StatusCode codeOf(int err) {
    switch (err) {
        case ENOENT:
        case ESRCH:
        case ENODEV:
        case ENXIO:
            return absl::StatusCode::kNotFound;
        case EEXIST:
            return absl::StatusCode::kAlreadyExists;
        case EPERM:
        case EACCES:
        case EROFS:
            return absl::StatusCode::kPermissionDenied;
        case EAGAIN:
        case EBUSY:
        case ECONNREFUSED:
        case ECONNRESET:
        case EPIPE:
        case EHOSTUNREACH:
        case ENETUNREACH:
            return absl::StatusCode::kUnavailable;
        case ENOSPC:
        case EDQUOT:
        case ENOMEM:
        case EMFILE:
        case ENFILE:
            return absl::StatusCode::kResourceExhausted;
        case EINVAL:
        case ENAMETOOLONG:
        case E2BIG:
            return absl::StatusCode::kInvalidArgument;
        case ENOTEMPTY:
        case ENOTDIR:
        case EISDIR:
        case EADDRINUSE:
            return absl::StatusCode::kFailedPrecondition;
        case ENOSYS:
        case EOPNOTSUPP:
            return absl::StatusCode::kUnimplemented;
        case ECANCELED:
        case EINTR:
            return absl::StatusCode::kCancelled;
        case ETIMEDOUT:
            return absl::StatusCode::kDeadlineExceeded;
        case EIO:
            return absl::StatusCode::kDataLoss;
        default:
            return absl::StatusCode::kInternal;
    }
}

absl::Status make(absl::StatusCode code, const std::string& message) {
    return absl::Status(code, absl::string_view(message.data(), message.size()));
}

}  // namespace

absl::Status errnoStatus(int err, const std::string& what) {
    const char* name = strerrorname_np(err);
    std::string message = what + ": " + (name != nullptr ? name : std::to_string(err));
    if (const char* text = strerrordesc_np(err); text != nullptr) message += std::string(" (") + text + ")";
    absl::Status status = make(codeOf(err), message);
    status.SetPayload(kErrnoPayload, absl::Cord(std::to_string(err)));
    return status;
}

int errnoOf(const absl::Status& status) {
    const auto payload = status.GetPayload(kErrnoPayload);
    if (!payload.has_value()) return 0;
    return std::atoi(std::string(*payload).c_str());
}

absl::Status withContext(const absl::Status& status, const std::string& context) {
    if (status.ok()) return status;
    absl::Status result = make(status.code(), context + ": " + messageOf(status));
    status.ForEachPayload([&result](absl::string_view url, const absl::Cord& value) { result.SetPayload(url, value); });
    return result;
}

std::string messageOf(const absl::Status& status) { return {status.message().data(), status.message().size()}; }

absl::Status invalidArgument(const std::string& message) { return make(absl::StatusCode::kInvalidArgument, message); }
absl::Status notFound(const std::string& message) { return make(absl::StatusCode::kNotFound, message); }
absl::Status alreadyExists(const std::string& message) { return make(absl::StatusCode::kAlreadyExists, message); }
absl::Status failedPrecondition(const std::string& message) {
    return make(absl::StatusCode::kFailedPrecondition, message);
}
absl::Status unavailable(const std::string& message) { return make(absl::StatusCode::kUnavailable, message); }
absl::Status aborted(const std::string& message) { return make(absl::StatusCode::kAborted, message); }
absl::Status cancelled(const std::string& message) { return make(absl::StatusCode::kCancelled, message); }
absl::Status deadlineExceeded(const std::string& message) { return make(absl::StatusCode::kDeadlineExceeded, message); }
absl::Status resourceExhausted(const std::string& message) {
    return make(absl::StatusCode::kResourceExhausted, message);
}
absl::Status permissionDenied(const std::string& message) { return make(absl::StatusCode::kPermissionDenied, message); }
absl::Status internalError(const std::string& message) { return make(absl::StatusCode::kInternal, message); }
absl::Status dataLoss(const std::string& message) { return make(absl::StatusCode::kDataLoss, message); }

}  // namespace homeslice
