// Several controllers over one etcd: each follows until it can lead, leads until it cannot.
#pragma once

#include <absl/status/status.h>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "controller/leader/follower_server.h"
#include "controller/store/etcd/seat.h"
#include "controller/store/store.h"

namespace homeslice::controller {

struct Turns {
    std::vector<std::string> addresses;  // to listen on
    FollowerServer::Parts follower;
    // True when sliced is to end; waits that long for it.
    std::function<bool(std::chrono::nanoseconds)> stopped;
    std::function<void()> renew;  // the certificate, if it is time; called now and then while following
    // Serves over `store` until sliced is to end, or `leads` answers false. What it fails with when the lead or etcd is
    // lost meanwhile (UNAVAILABLE) ends the turn, anything else ends sliced.
    std::function<absl::Status(Store& store, const std::function<bool()>& leads)> lead;
};

// Until sliced is to end.
absl::Status serveInTurns(EtcdSeat& seat, const Turns& turns);

}  // namespace homeslice::controller
