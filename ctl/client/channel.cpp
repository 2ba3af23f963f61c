#include "ctl/client/channel.h"

#include <utility>

namespace homeslice::ctl {
namespace {

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

absl::Status Client::Impl::toStatus(const grpc::Status& status) const {
    if (status.ok()) return absl::OkStatus();
    if (status.error_code() == grpc::StatusCode::CANCELLED && cancellation.cancelled()) return cancelled("interrupted");
    if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
        return deadlineExceeded("the controller at " + address + " did not answer in time");
    }
    if (status.error_code() == grpc::StatusCode::UNAVAILABLE && channel->GetState(false) != GRPC_CHANNEL_READY) {
        return unavailable("the controller at " + address + " went away: " + oneLine(status.error_message()));
    }
    return {static_cast<absl::StatusCode>(status.error_code()), oneLine(status.error_message())};
}

}  // namespace homeslice::ctl
