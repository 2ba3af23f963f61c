#include "rpc/status.h"

#include <google/protobuf/util/time_util.h>

#include <charconv>
#include <cstdint>

#include "base/reason.h"
#include "base/status.h"
#include "base/utf8.h"
#include "google/rpc/errors.pb.h"

namespace homeslice::rpc {
namespace {

// Of the 8 KiB of metadata that gRPC's clients take, with room for percent-encoding.
constexpr size_t kLongestMessage = 2048;
constexpr size_t kLongestDetail = 256;

std::string cut(const std::string& text, size_t longest) { return asUtf8(text.substr(0, longest)); }

int64_t retryAfter(const ErrorReason& reason) {
    const auto found = reason.facts.find(kRetryAfterFact);
    int64_t milliseconds = 0;
    if (found == reason.facts.end()) return 0;
    std::from_chars(found->second.data(), found->second.data() + found->second.size(), milliseconds);
    return milliseconds;
}

std::string detailsOf(const absl::Status& status) {
    const ErrorReason reason = reasonOf(status);
    google::rpc::Status details;
    details.set_code(static_cast<int>(status.code()));
    details.set_message(cut(messageOf(status), kLongestDetail));
    google::rpc::ErrorInfo info;
    info.set_reason(reason.word);
    info.set_domain(kErrorDomain);
    for (const auto& [key, value] : reason.facts) (*info.mutable_metadata())[key] = cut(value, kLongestDetail);
    details.add_details()->PackFrom(info);
    if (const int64_t milliseconds = retryAfter(reason); milliseconds > 0) {
        google::rpc::RetryInfo retry;
        *retry.mutable_retry_delay() = google::protobuf::util::TimeUtil::MillisecondsToDuration(milliseconds);
        details.add_details()->PackFrom(retry);
    }
    return details.SerializeAsString();
}

absl::Status withInfo(const absl::Status& status, const google::rpc::ErrorInfo& info) {
    return because(status, info.reason(), ErrorFacts(info.metadata().begin(), info.metadata().end()));
}

}  // namespace

grpc::Status toGrpc(const absl::Status& status) {
    if (status.ok()) return grpc::Status::OK;
    return {static_cast<grpc::StatusCode>(status.code()), cut(messageOf(status), kLongestMessage), detailsOf(status)};
}

absl::Status fromGrpc(const grpc::Status& status) {
    const std::string message = status.error_message();
    return withReasonOf(status, {static_cast<absl::StatusCode>(status.error_code()),
                                 absl::string_view(message.data(), message.size())});
}

absl::Status withReasonOf(const grpc::Status& status, const absl::Status& own) {
    google::rpc::Status details;
    if (own.ok() || !details.ParseFromString(status.error_details())) return own;
    for (const google::protobuf::Any& detail : details.details()) {
        google::rpc::ErrorInfo info;
        if (detail.Is<google::rpc::ErrorInfo>() && detail.UnpackTo(&info) && info.domain() == kErrorDomain) {
            return withInfo(own, info);
        }
    }
    return own;
}

}  // namespace homeslice::rpc
