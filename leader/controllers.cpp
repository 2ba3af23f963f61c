#include "leader/controllers.h"

#include <algorithm>
#include <utility>

namespace homeslice::leader {
namespace {

// Nobody can fill a client's memory with leaders' names.
constexpr size_t kMostAddresses = 32;

}  // namespace

std::vector<std::string> splitAddresses(const std::string& list) {
    std::vector<std::string> addresses;
    for (size_t begin = 0; begin <= list.size();) {
        const size_t end = std::min(list.find(',', begin), list.size());
        if (end > begin) addresses.push_back(list.substr(begin, end - begin));
        begin = end + 1;
    }
    return addresses;
}

bool wasRedirected(const grpc::ClientContext& context) {
    return context.GetServerTrailingMetadata().contains(kLeaderMetadata);
}

bool endedWithTheLead(const grpc::ClientContext& context) {
    return context.GetServerTrailingMetadata().contains(kLeadLostMetadata);
}

std::string leaderNamedIn(const grpc::ClientContext& context) {
    const auto& metadata = context.GetServerTrailingMetadata();
    const auto found = metadata.find(kLeaderMetadata);
    return found == metadata.end() ? "" : std::string(found->second.data(), found->second.size());
}

Controllers::Controllers(std::vector<std::string> addresses, MakeChannel make)
    : make_(std::move(make)), addresses_(std::move(addresses)), channels_(addresses_.size()) {}

Controllers::Chosen Controllers::current() {
    const std::lock_guard lock(mutex_);
    return chosen(current_);
}

Controllers::Chosen Controllers::at(const std::string& address) {
    const std::lock_guard lock(mutex_);
    return chosen(indexOf(address));
}

// With the lock held.
Controllers::Chosen Controllers::chosen(size_t index) {
    if (channels_[index] == nullptr) channels_[index] = make_(addresses_[index]);
    return {addresses_[index], channels_[index]};
}

std::vector<std::string> Controllers::addresses() {
    const std::lock_guard lock(mutex_);
    return addresses_;
}

bool Controllers::several() {
    const std::lock_guard lock(mutex_);
    return addresses_.size() > 1;
}

void Controllers::learn(const std::string& named) {
    const std::lock_guard lock(mutex_);
    if (!named.empty()) indexOf(named);
}

bool Controllers::turnFrom(const std::string& asked, const grpc::ClientContext& context) {
    return turnFrom(asked, leaderNamedIn(context));
}

bool Controllers::turnFrom(const std::string& asked, const std::string& named) {
    const std::lock_guard lock(mutex_);
    if (addresses_[current_] != asked) return !named.empty();
    current_ = named.empty() || named == asked ? (current_ + 1) % addresses_.size() : indexOf(named);
    return !named.empty();
}

// With the lock held.
size_t Controllers::indexOf(const std::string& address) {
    const auto found = std::find(addresses_.begin(), addresses_.end(), address);
    if (found != addresses_.end()) return static_cast<size_t>(found - addresses_.begin());
    if (addresses_.size() >= kMostAddresses) return (current_ + 1) % addresses_.size();
    addresses_.push_back(address);
    channels_.emplace_back();
    return addresses_.size() - 1;
}

}  // namespace homeslice::leader
