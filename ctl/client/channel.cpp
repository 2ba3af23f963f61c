#include "ctl/client/channel.h"

#include <algorithm>
#include <cstdlib>
#include <thread>
#include <utility>

#include "base/reason.h"
#include "rpc/status.h"

namespace homeslice::ctl {
namespace {

constexpr std::chrono::milliseconds kPause{50};
constexpr int kLongestWaitMs = 2000;

// The words of a server are shown on one line of a terminal.
std::string oneLine(std::string text) {
    for (char& c : text) {
        if (c == '\n' || c == '\r') c = ' ';
    }
    return text;
}

}  // namespace

CallContext::CallContext(Cancellation& cancellation, std::optional<std::chrono::milliseconds> timeout)
    : registration_(cancellation, [this] { context_.TryCancel(); }) {
    if (timeout) context_.set_deadline(std::chrono::system_clock::now() + *timeout);
}

Client::Impl::Asked Client::Impl::ask() {
    leader::Controllers::Chosen chosen = controllers.current();
    auto stub = v1::ControllerService::NewStub(chosen.channel);
    return {std::move(chosen.address), std::move(chosen.channel), std::move(stub)};
}

bool Client::Impl::turn(const Asked& asked, const grpc::Status& status, const grpc::ClientContext& context,
                        bool repeatable) {
    if (status.error_code() != grpc::StatusCode::UNAVAILABLE || !follows || cancellation.cancelled()) return false;
    const bool redirected = leader::wasRedirected(context);
    if (!redirected && !(controllers.several() && isGone(status, context))) return false;
    // The next command is better off with another one, even if this one fails.
    if (!controllers.turnFrom(asked.address, context)) std::this_thread::sleep_for(kPause);
    return redirected || repeatable;
}

bool Client::Impl::heldBack(const grpc::Status& status) const {
    const ErrorReason why = reasonOf(rpc::fromGrpc(status));
    const auto wait = why.facts.find(kRetryAfterFact);
    if (wait == why.facts.end()) return false;
    const int wait_ms = std::clamp(std::atoi(wait->second.c_str()), 1, kLongestWaitMs);
    return !cancellation.waitFor(std::chrono::milliseconds(wait_ms));
}

bool Client::Impl::isGone(const grpc::Status& status, const grpc::ClientContext& context) {
    return leader::endedWithTheLead(context) || !isOwnWord(status);
}

grpc::Status Client::Impl::orOvertaken(const Asked& asked, const grpc::Status& end,
                                       const std::optional<std::string>& leader) {
    if (end.ok() || !leader || cancellation.cancelled()) return end;
    controllers.turnFrom(asked.address, *leader);
    return {grpc::StatusCode::UNAVAILABLE, "the one at " + *leader + " leads now"};
}

bool Client::Impl::isRepeatable(const google::protobuf::Message& request) {
    const google::protobuf::Descriptor& type = *request.GetDescriptor();
    const google::protobuf::FieldDescriptor* id = type.FindFieldByName("request_id");
    if (id != nullptr) return !request.GetReflection()->GetString(request, id).empty();
    return type.name().rfind("List", 0) == 0 || type.name().rfind("Get", 0) == 0;
}

absl::Status Client::Impl::toStatus(const Asked& asked, const grpc::Status& status) const {
    if (status.ok()) return absl::OkStatus();
    if (status.error_code() == grpc::StatusCode::CANCELLED && cancellation.cancelled()) return cancelled("interrupted");
    if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
        return deadlineExceeded("the controller at " + asked.address + " did not answer in time");
    }
    if (status.error_code() == grpc::StatusCode::UNAVAILABLE && !isOwnWord(status)) {
        return rpc::withReasonOf(status, unavailable("the controller at " + asked.address +
                                                     " went away: " + oneLine(status.error_message())));
    }
    return rpc::withReasonOf(status,
                             {static_cast<absl::StatusCode>(status.error_code()), oneLine(status.error_message())});
}

}  // namespace homeslice::ctl
