// For tests with real controllers: a simulated node that stays connected to whichever controller leads, as noded does.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "controller/api/simulated_node.h"
#include "leader/controllers.h"

namespace homeslice::testing_support {

class RoamingNode {
public:
    // `controllers`: as of noded's --controller.
    RoamingNode(const std::string& controllers, const std::shared_ptr<tls::Credentials>& credentials,
                const std::string& name)
        : controllers_(leader::splitAddresses(controllers)), thread_([this, credentials, name] {
              for (size_t i = 0; !stop_; ++i) {
                  controller::testing_support::SimulatedNode node(controllers_[i % controllers_.size()], credentials,
                                                                  name, false);
                  while (!stop_ && !node.ended()) std::this_thread::sleep_for(std::chrono::milliseconds(20));
              }
          }) {}
    ~RoamingNode() {
        stop_ = true;
        thread_.join();
    }
    RoamingNode(const RoamingNode&) = delete;
    RoamingNode& operator=(const RoamingNode&) = delete;

private:
    const std::vector<std::string> controllers_;
    std::atomic<bool> stop_ = false;
    std::thread thread_;
};

}  // namespace homeslice::testing_support
