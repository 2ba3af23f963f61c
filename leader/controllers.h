// The controllers of one system as a client sees them: one leads, the others say which.
//
// A controller that does not lead answers every call with UNAVAILABLE, and does nothing. Its trailing metadata name the
// leader, HOST:PORT, or are empty while nobody is known to lead: that is the stable part, the message is for people.
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace homeslice::leader {

inline const std::string kLeaderMetadata = "homeslice-leader";
// In the trailing metadata of one that has just lost the lead: what was asked may have been done or not.
inline const std::string kLeadLostMetadata = "homeslice-lead-lost";

// "a:1,b:2" -> {"a:1", "b:2"}; empty parts are left out.
std::vector<std::string> splitAddresses(const std::string& list);

// Whether an ended call was answered by a controller that does not lead.
bool wasRedirected(const grpc::ClientContext& context);
// Whether by one that was about to end its lead.
bool endedWithTheLead(const grpc::ClientContext& context);
// The leader that it named; empty when it named none.
std::string leaderNamedIn(const grpc::ClientContext& context);

// Keeps to the controller that led last. Threads: any.
class Controllers {
public:
    using MakeChannel = std::function<std::shared_ptr<grpc::Channel>(const std::string& address)>;
    // `addresses` is not empty; `make` is called for each address once, when it is first needed.
    Controllers(std::vector<std::string> addresses, MakeChannel make);

    struct Chosen {
        std::string address;
        std::shared_ptr<grpc::Channel> channel;
    };
    Chosen current();
    Chosen at(const std::string& address);
    // All that are known; those that were named come last.
    std::vector<std::string> addresses();
    // Whether there is more than one to turn to.
    bool several();
    // One was named; nothing turns to it yet.
    void learn(const std::string& named);
    // A call to `asked` ended with UNAVAILABLE: turns to the one that it named, else to the next of the list. Does
    // nothing when somebody else was quicker. True when a leader was named.
    bool turnFrom(const std::string& asked, const grpc::ClientContext& context);
    bool turnFrom(const std::string& asked, const std::string& named);

private:
    size_t indexOf(const std::string& address);
    Chosen chosen(size_t index);

    const MakeChannel make_;
    std::mutex mutex_;
    std::vector<std::string> addresses_;  // those that were named come last
    std::vector<std::shared_ptr<grpc::Channel>> channels_;
    size_t current_ = 0;
};

}  // namespace homeslice::leader
