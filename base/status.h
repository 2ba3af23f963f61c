// Errors as values: absl::Status with the errno kept as a payload and context added at each level.
//
// Context reads from the outside in: "sliver web/2: mount(overlay): EBUSY (Device or resource busy)".
// Thread safety: all functions are pure. No function throws.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <string>
#include <utility>

namespace homeslice {

// A status whose code is derived from `err` (ENOENT -> NOT_FOUND, EEXIST -> ALREADY_EXISTS, EPERM and EACCES ->
// PERMISSION_DENIED, EBUSY, EAGAIN -> UNAVAILABLE, ENOSPC, ENOMEM, EDQUOT -> RESOURCE_EXHAUSTED, EINVAL ->
// INVALID_ARGUMENT, ...) and whose message is "<what>: <NAME> (<text>)". `err` is kept, see errnoOf().
absl::Status errnoStatus(int err, const std::string& what);

// The errno that errnoStatus() kept, also through withContext(); 0 if the status carries none.
int errnoOf(const absl::Status& status);

// `status` with "<context>: " put before its message, code and payloads kept. OK stays OK.
absl::Status withContext(const absl::Status& status, const std::string& context);

// The message of `status` as a std::string (Debian's absl has a string_view of its own).
std::string messageOf(const absl::Status& status);

absl::Status invalidArgument(const std::string& message);
absl::Status notFound(const std::string& message);
absl::Status alreadyExists(const std::string& message);
absl::Status failedPrecondition(const std::string& message);
absl::Status unavailable(const std::string& message);
absl::Status aborted(const std::string& message);
absl::Status cancelled(const std::string& message);
absl::Status deadlineExceeded(const std::string& message);
absl::Status resourceExhausted(const std::string& message);
absl::Status permissionDenied(const std::string& message);
absl::Status internalError(const std::string& message);
absl::Status dataLoss(const std::string& message);

}  // namespace homeslice

#define HS_STATUS_CONCAT_(a, b) a##b
#define HS_STATUS_NAME_(a, b) HS_STATUS_CONCAT_(a, b)

// Returns from the enclosing function when `expr` (an absl::Status) is not OK.
#define HS_RETURN_IF_ERROR(expr)                                                   \
    do {                                                                           \
        if (absl::Status hs_status_ = (expr); !hs_status_.ok()) return hs_status_; \
    } while (false)

// The same with a context (a std::string expression, evaluated on failure only).
#define HS_RETURN_IF_ERROR_CTX(expr, context)                                                                         \
    do {                                                                                                              \
        if (absl::Status hs_status_ = (expr); !hs_status_.ok()) return ::homeslice::withContext(hs_status_, context); \
    } while (false)

// HS_ASSIGN_OR_RETURN(auto fd, openThing());
#define HS_ASSIGN_OR_RETURN(lhs, expr) HS_ASSIGN_OR_RETURN_(HS_STATUS_NAME_(hs_statusor_, __LINE__), lhs, expr)
#define HS_ASSIGN_OR_RETURN_(tmp, lhs, expr) \
    auto tmp = (expr);                       \
    if (!tmp.ok()) return tmp.status();      \
    lhs = std::move(tmp).value()

#define HS_ASSIGN_OR_RETURN_CTX(lhs, expr, context) \
    HS_ASSIGN_OR_RETURN_CTX_(HS_STATUS_NAME_(hs_statusor_, __LINE__), lhs, expr, context)
#define HS_ASSIGN_OR_RETURN_CTX_(tmp, lhs, expr, context)                  \
    auto tmp = (expr);                                                     \
    if (!tmp.ok()) return ::homeslice::withContext(tmp.status(), context); \
    lhs = std::move(tmp).value()
