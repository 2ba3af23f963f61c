// The client's watch, which goes on where it was cut off.
#include <utility>

#include "ctl/client/channel.h"

namespace homeslice::ctl {
namespace {

constexpr std::chrono::milliseconds kPause{200};
// In a row without an answer: for more time than a controller takes to start again.
constexpr int kMostAttempts = 150;

}  // namespace

absl::Status Client::watch(v1::WatchRequest request,
                           const std::function<void(const v1::WatchResponse&, bool anew)>& told) {
    absl::Status status;
    bool begun = false;
    for (int silent = 0; silent < kMostAttempts; ++silent) {
        const Impl::Asked asked = impl_->ask();
        CallContext context(impl_->cancellation, std::nullopt);
        const auto reader = asked.stub->Watch(context.get(), request);
        bool anew = request.revision() == 0;
        v1::WatchResponse response;
        while (reader->Read(&response)) {
            told(response, std::exchange(anew, false));
            if (response.revision() != 0) request.set_revision(response.revision());
            begun = true;
            silent = 0;
        }
        const grpc::Status end = reader->Finish();
        status = impl_->toStatus(asked, end);
        if (absl::IsOutOfRange(status) && begun) {
            request.set_revision(0);
            continue;
        }
        if (!absl::IsUnavailable(status)) return status;
        impl_->turn(asked, end, *context.get(), true);
        if (impl_->cancellation.waitFor(kPause)) return cancelled("interrupted");
    }
    return status;
}

}  // namespace homeslice::ctl
