#include "controller/leader/turns.h"

#include <memory>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "base/status.h"

namespace homeslice::controller {
namespace {

// So often a follower looks whether it can lead: a part of what a failover takes.
constexpr std::chrono::milliseconds kLookEvery{100};
// The port of the role before is free at once, or a moment later.
constexpr std::chrono::seconds kPortFreeWithin{3};

bool passes(const absl::Status& status) {
    return status.code() == absl::StatusCode::kUnavailable || status.code() == absl::StatusCode::kDeadlineExceeded;
}

absl::StatusOr<std::unique_ptr<FollowerServer>> startFollower(const Turns& turns) {
    const auto deadline = Monotonic::now() + kPortFreeWithin;
    for (;;) {
        auto server = FollowerServer::start(turns.addresses, turns.follower);
        if (server.ok() || !passes(server.status()) || Monotonic::now() > deadline) return server;
        if (turns.stopped(kLookEvery)) return server;
    }
}

// True when this controller leads now, false when sliced is to end.
absl::StatusOr<bool> follow(EtcdSeat& seat, const Turns& turns) {
    HS_ASSIGN_OR_RETURN(const auto server, startFollower(turns));
    std::string said;
    const auto say = [&said](const std::string& text) {
        if (std::exchange(said, text) != text) logInfo("{}", text);
    };
    do {
        turns.renew();
        const auto leads = seat.campaign();
        if (leads.ok() && *leads) return true;
        if (!leads.ok()) {
            say("etcd does not answer: " + messageOf(leads.status()));
        } else {
            say(seat.leader().empty() ? "nobody leads" : "following the controller at " + seat.leader());
        }
    } while (!turns.stopped(kLookEvery));
    return false;
}

}  // namespace

absl::Status serveInTurns(EtcdSeat& seat, const Turns& turns) {
    for (;;) {
        HS_ASSIGN_OR_RETURN(const bool leads, follow(seat, turns));
        if (!leads) return absl::OkStatus();
        logInfo("leading");
        const auto store = seat.store();
        const absl::Status led = turns.lead(*store, [&seat] { return seat.leads(); });
        if (!led.ok() && !passes(led)) return led;
        if (!led.ok()) logWarning("the lead has ended: {}", messageOf(led));
        if (turns.stopped(std::chrono::milliseconds(0))) return absl::OkStatus();
        logWarning("leading no more");
    }
}

}  // namespace homeslice::controller
