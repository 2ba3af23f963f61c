// Brings the ssh keys of those who may use a slice into its slivers: /root/.ssh/authorized_keys, written by a command
// inside, so that nothing on the node ever follows a path of the sliver's making. The file is Homeslice's: what else is
// put into it goes with the next change.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>

#include "base/clock.h"
#include "controller/api/node_clients.h"
#include "controller/core/controller.h"

namespace homeslice::controller {

class KeyCourier {
public:
    // Both outlive it.
    KeyCourier(Controller& controller, NodeClients& clients) : controller_(controller), clients_(clients) {}
    // Cancels what is under way, and waits for it.
    ~KeyCourier();
    KeyCourier(const KeyCourier&) = delete;
    KeyCourier& operator=(const KeyCourier&) = delete;

    // Begins what is to be delivered, a few at a time; what failed is tried again, later each time. Does not block.
    // Call now and then, from one thread.
    void tick();

private:
    class Delivery;
    struct Trouble {
        std::string mark;  // that could not be delivered
        Monotonic::time_point again;
        std::chrono::seconds pause{};
    };

    bool mayBegin(const KeyDelivery& delivery);
    void ended(const KeyDelivery& delivery, const absl::Status& status);

    Controller& controller_;
    NodeClients& clients_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<SliverId, Delivery*> under_way_;
    std::map<SliverId, Trouble> troubles_;
};

}  // namespace homeslice::controller
