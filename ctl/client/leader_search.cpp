#include "ctl/client/leader_search.h"

#include <grpcpp/generic/generic_stub.h>

#include <algorithm>
#include <utility>

namespace homeslice::ctl {
namespace {

// A controller that lives, and leads, has answered by then, so that the others are not troubled.
constexpr std::chrono::milliseconds kHeadStart{300};
constexpr std::chrono::milliseconds kAskAgain{100};
// A machine that is cut off answers nothing at all, and there are others to ask. A single one gets more time: it may be
// busy.
constexpr std::chrono::seconds kOneOfSeveralWithin{2};
constexpr std::chrono::seconds kOnlyOneWithin{10};
// A call that takes longer makes one look around.
constexpr std::chrono::milliseconds kLookAfter{700};

}  // namespace

bool isOwnWord(const grpc::Status& status) {
    if (!status.error_details().empty()) return true;
    return status.error_code() != grpc::StatusCode::UNAVAILABLE &&
           status.error_code() != grpc::StatusCode::DEADLINE_EXCEEDED &&
           status.error_code() != grpc::StatusCode::CANCELLED;
}

// grpc.health.v1.Health/Check, whose empty request and answer need no generated code. Whoever answers it in any way but
// by a redirection is taken for the leader: it will say itself what is wrong.
struct LeaderSearch::Question {
    explicit Question(const std::shared_ptr<grpc::Channel>& channel) : stub(channel) {}

    grpc::ClientContext context;
    grpc::GenericStub stub;
    const grpc::ByteBuffer request{nullptr, 0};
    grpc::ByteBuffer response;
};

LeaderSearch::LeaderSearch(leader::Controllers& controllers, std::string except)
    : controllers_(controllers), except_(std::move(except)) {}

LeaderSearch::~LeaderSearch() {
    std::unique_lock lock(mutex_);
    for (const auto& [address, asked] : asked_) {
        if (asked.open) asked.question->context.TryCancel();
    }
    changed_.wait(lock, [this] { return open_ == 0; });
}

LeaderSearch::End LeaderSearch::run(std::chrono::milliseconds patience) {
    const Time begin = std::chrono::steady_clock::now();
    std::unique_lock lock(mutex_);
    for (auto& [address, asked] : asked_) asked.unreachable = false;
    for (;;) {
        const Time now = std::chrono::steady_clock::now();
        addKnown(begin);
        if (!leader_.empty()) return End::found;
        if (stopped_) return End::stopped;
        if (allUnreachable()) return End::nobody_answers;
        if (now >= begin + patience) return End::nobody_leads;
        askDue(now);
        changed_.wait_until(lock, std::min(nextDue(), begin + patience));
    }
}

void LeaderSearch::stop() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    changed_.notify_all();
}

// The rest wants the lock held.

// Those of the list, and those that were named since.
void LeaderSearch::addKnown(Time begin) {
    const std::string first = controllers_.current().address;
    for (const std::string& address : controllers_.addresses()) {
        if (address == except_) continue;
        const bool waits = address != first && first != except_ && !asked_[first].answered;
        asked_.try_emplace(address, Asked{.again = begin + (waits ? kHeadStart : std::chrono::milliseconds(0))});
    }
}

void LeaderSearch::askDue(Time now) {
    for (auto& [address, asked] : asked_) {
        if (!asked.open && asked.again <= now) ask(address, asked);
    }
}

void LeaderSearch::ask(const std::string& address, Asked& asked) {
    const auto within = controllers_.several() ? kOneOfSeveralWithin : kOnlyOneWithin;
    // Not kept by what is called back: a thread of gRPC's that drops the last channel waits for its own end.
    asked.question = std::make_unique<Question>(controllers_.at(address).channel);
    asked.open = true;
    ++open_;
    Question& question = *asked.question;
    question.context.set_deadline(std::chrono::system_clock::now() + within);
    question.stub.UnaryCall(&question.context, "/grpc.health.v1.Health/Check", grpc::StubOptions(), &question.request,
                            &question.response, [this, address](const grpc::Status& status) {
                                const std::lock_guard lock(mutex_);
                                answered(address, status);
                            });
}

void LeaderSearch::answered(const std::string& address, const grpc::Status& status) {
    const Time now = std::chrono::steady_clock::now();
    Asked& asked = asked_[address];
    const grpc::ClientContext& context = asked.question->context;
    const bool redirected = leader::wasRedirected(context);
    asked.open = false;
    asked.again = now + kAskAgain;
    asked.unreachable = !redirected && !isOwnWord(status);
    if (!redirected && !asked.unreachable && leader_.empty()) leader_ = address;
    if (redirected) controllers_.learn(leader::leaderNamedIn(context));
    asked.answered = true;
    // It is not this one: the others need not wait any more.
    for (auto& [other, state] : asked_) {
        if (!state.answered) state.again = std::min(state.again, now);
    }
    --open_;
    changed_.notify_all();
}

LeaderSearch::Time LeaderSearch::nextDue() const {
    Time next = Time::max();
    for (const auto& [address, asked] : asked_) {
        if (!asked.open) next = std::min(next, asked.again);
    }
    return next;
}

bool LeaderSearch::allUnreachable() const {
    return std::all_of(asked_.begin(), asked_.end(), [](const auto& entry) { return entry.second.unreachable; });
}

Lookout::Lookout(leader::Controllers& controllers, const std::string& asked, grpc::ClientContext& context)
    : search_(controllers, asked) {
    if (controllers.several()) thread_ = std::thread([this, &context] { look(context); });
}

std::optional<std::string> Lookout::end() {
    {
        const std::lock_guard lock(mutex_);
        ended_ = true;
        changed_.notify_all();
    }
    search_.stop();
    if (thread_.joinable()) thread_.join();
    return found_;
}

void Lookout::look(grpc::ClientContext& context) {
    {
        std::unique_lock lock(mutex_);
        if (changed_.wait_for(lock, kLookAfter, [this] { return ended_; })) return;
    }
    for (;;) {
        const LeaderSearch::End end = search_.run(std::chrono::hours(1));
        if (end == LeaderSearch::End::found) break;
        if (end == LeaderSearch::End::stopped) return;
        std::unique_lock lock(mutex_);
        if (changed_.wait_for(lock, kAskAgain, [this] { return ended_; })) return;
    }
    found_ = search_.leader();
    context.TryCancel();
}

}  // namespace homeslice::ctl
