// Which of several controllers leads, found out by asking all of them at once: one whose machine is cut off answers
// nothing at all, and whoever waits for it first waits for long. Internal to ctl/client: includes gRPC.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "ctl/client/cancellation.h"
#include "leader/controllers.h"

namespace homeslice::ctl {

// Whether the controller has answered for itself: what gRPC makes of a connection that failed has no details.
bool isOwnWord(const grpc::Status& status);

class LeaderSearch {
public:
    enum class End { found, nobody_leads, nobody_answers, stopped };

    // `controllers` outlives it. `except`: an address that is not asked.
    explicit LeaderSearch(leader::Controllers& controllers, std::string except = "");
    // Takes back what is still being asked.
    ~LeaderSearch();
    LeaderSearch(const LeaderSearch&) = delete;
    LeaderSearch& operator=(const LeaderSearch&) = delete;

    // Blocks, for as long as `patience` at most. The one that led last is asked first, the others when it does not
    // answer at once; `nobody_answers` as soon as none of them can be reached.
    End run(std::chrono::milliseconds patience);
    // From another thread.
    void stop();
    // After `found`.
    const std::string& leader() const { return leader_; }

private:
    struct Question;
    using Time = std::chrono::steady_clock::time_point;
    struct Asked {
        std::unique_ptr<Question> question{};  // the latest
        bool open = false;                     // it has no answer yet
        Time again{};
        bool answered = false;
        bool unreachable = false;
    };

    void addKnown(Time begin);
    void askDue(Time now);
    void ask(const std::string& address, Asked& asked);
    void answered(const std::string& address, const grpc::Status& status);
    Time nextDue() const;
    bool allUnreachable() const;

    leader::Controllers& controllers_;
    const std::string except_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<std::string, Asked> asked_;
    size_t open_ = 0;
    bool stopped_ = false;
    std::string leader_;
};

// Looks around while a call waits for its answer: when it has been waiting for a while and another controller leads,
// cancels the call, which nobody will answer. Makes no mistake about one that is only slow.
class Lookout {
public:
    // `context` is of the call to `asked`. Both outlive it.
    Lookout(leader::Controllers& controllers, const std::string& asked, grpc::ClientContext& context);
    ~Lookout() { end(); }
    Lookout(const Lookout&) = delete;
    Lookout& operator=(const Lookout&) = delete;

    // The call has ended. Who leads, if the call was cancelled because of that.
    std::optional<std::string> end();

private:
    void look(grpc::ClientContext& context);

    LeaderSearch search_;
    std::mutex mutex_;
    std::condition_variable changed_;
    bool ended_ = false;
    std::optional<std::string> found_;
    std::thread thread_;
};

}  // namespace homeslice::ctl
