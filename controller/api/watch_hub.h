// The streams of Watch. One thread looks what the core has for each that has nothing under way; a client that reads
// slowly falls behind in the core's history, and costs no more than that.
#pragma once

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "controller/core/controller.h"
#include "homeslice/v1/controller.pb.h"

namespace homeslice::controller {

class WatchStream;

class WatchHub {
public:
    // The controller outlives it; the server has ended all streams before its end.
    explicit WatchHub(Controller& controller);
    ~WatchHub();
    WatchHub(const WatchHub&) = delete;
    WatchHub& operator=(const WatchHub&) = delete;

    // Ends all streams.
    void closeAll(const absl::Status& why);

    grpc::ServerWriteReactor<v1::WatchResponse>* open(const Caller& caller, const v1::WatchRequest& request);

private:
    friend class WatchStream;

    // The streams call these from gRPC's threads.
    void isReady(const std::shared_ptr<WatchStream>& stream);
    void closed(const WatchStream& stream);

    absl::Status admit(const std::string& user);
    void run();
    // With something to be told, or to be looked for; empty at the end.
    std::vector<std::weak_ptr<WatchStream>> nextStreams();

    Controller& controller_;
    std::mutex mutex_;
    std::condition_variable stirred_;
    std::vector<std::weak_ptr<WatchStream>> ready_;  // may have something to tell
    std::vector<std::weak_ptr<WatchStream>> idle_;   // had nothing when last looked at
    std::map<const WatchStream*, std::weak_ptr<WatchStream>> streams_;
    std::map<std::string, size_t> counts_;  // of streams, by user
    bool changed_ = false;                  // since idle streams were last looked at
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace homeslice::controller
