// Why a request failed, for programs: a stable word beside the message of an absl::Status, and what it is about. Kept
// through withContext(). The API sends it as google.rpc.ErrorInfo; docs/design/api.md lists the reasons.
//
// Thread safety: all functions are pure.
#pragma once

#include <absl/status/status.h>

#include <map>
#include <string>
#include <vector>

namespace homeslice {

// "slice" -> "web".
using ErrorFacts = std::map<std::string, std::string>;

struct ErrorReason {
    std::string word;  // "SLICE_NOT_FOUND"
    ErrorFacts facts;
};

// Beyond those that a code has by itself. Words are never reused for something else.
namespace reason {
inline constexpr char kCertificateRevoked[] = "CERTIFICATE_REVOKED";
inline constexpr char kImageNotFound[] = "IMAGE_NOT_FOUND";
inline constexpr char kLeaseEnded[] = "LEASE_ENDED";
inline constexpr char kNodeAway[] = "NODE_AWAY";
inline constexpr char kNodeNotFound[] = "NODE_NOT_FOUND";
inline constexpr char kNotLeading[] = "NOT_LEADING";
inline constexpr char kOperationEnded[] = "OPERATION_ENDED";
inline constexpr char kOperationNotFound[] = "OPERATION_NOT_FOUND";
inline constexpr char kPageTokenInvalid[] = "PAGE_TOKEN_INVALID";
inline constexpr char kQuotaExceeded[] = "QUOTA_EXCEEDED";
inline constexpr char kRateLimited[] = "RATE_LIMITED";
inline constexpr char kRequestIdReused[] = "REQUEST_ID_REUSED";
inline constexpr char kRevisionGone[] = "REVISION_GONE";
inline constexpr char kRightMissing[] = "RIGHT_MISSING";
inline constexpr char kSliceDeleting[] = "SLICE_DELETING";
inline constexpr char kSliceExists[] = "SLICE_EXISTS";
inline constexpr char kSliceNotFound[] = "SLICE_NOT_FOUND";
inline constexpr char kSliverNotFound[] = "SLIVER_NOT_FOUND";
inline constexpr char kTooManyWatches[] = "TOO_MANY_WATCHES";
inline constexpr char kUnplaceable[] = "UNPLACEABLE";
inline constexpr char kUserNotFound[] = "USER_NOT_FOUND";
}  // namespace reason

// `status` with a reason, in place of the one it may have; OK stays OK.
absl::Status because(const absl::Status& status, const std::string& word, const ErrorFacts& facts = {});
// The reason that it was given, else the one of its code: "INVALID_ARGUMENT". No word for OK.
ErrorReason reasonOf(const absl::Status& status);
// Every word that reasonOf() may answer for a status of this program's own.
std::vector<std::string> reasonWords();

// Fact of kRateLimited: milliseconds until the same request would be taken.
inline constexpr char kRetryAfterFact[] = "retry_after_ms";

}  // namespace homeslice
