// Streams of BindingService as its clients keep them: one after the other, each run by a thread that connects again
// with back-off. Internal.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "base/log.h"
#include "homeslice/v1/binding.grpc.pb.h"
#include "noded/api/retry.h"
#include "noded/mobility/binding.h"

namespace homeslice::api {

constexpr std::chrono::milliseconds kFirstRetry{50};
constexpr std::chrono::milliseconds kLastRetry{2000};

using Stub = v1::BindingService::Stub;

// The end of a client call, for the thread that waits for it.
class CallEnd {
public:
    void set(const grpc::Status& status) {
        const std::lock_guard lock(mutex_);
        status_ = status;
        ended_ = true;
        changed_.notify_all();
    }
    grpc::Status wait() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return ended_; });
        return status_;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    grpc::Status status_;
    bool ended_ = false;
};

// What a thread keeps going: run() once, cancel() from another thread.
class Stream {
public:
    virtual ~Stream() = default;
    // Until the call ends, for whatever reason.
    virtual grpc::Status run(Stub& stub) = 0;
    void cancel() { context_.TryCancel(); }
    virtual void send(const mobility::BindingUpdate& /*update*/) {}
    // Whether the home agent answered; read after run().
    bool reached() const { return reached_; }

protected:
    // Waits for the home agent to appear, rather than failing while it is away.
    Stream() { context_.set_wait_for_ready(true); }

    grpc::ClientContext context_;
    bool reached_ = false;
};

// Runs one stream after the other.
class Keeper {
public:
    using Make = std::function<std::shared_ptr<Stream>()>;

    Keeper(std::string name, std::shared_ptr<grpc::Channel> channel, Make make)
        : name_(std::move(name)), stub_(std::move(channel)), make_(std::move(make)), thread_([this] { keep(); }) {}

    ~Keeper() {
        stop_.set();
        if (const auto stream = current()) stream->cancel();
        thread_.join();
    }
    Keeper(const Keeper&) = delete;
    Keeper& operator=(const Keeper&) = delete;

    std::shared_ptr<Stream> current() {
        const std::lock_guard lock(mutex_);
        return stream_;
    }

private:
    void keep() {
        BackOff back_off(kFirstRetry, kLastRetry);
        do {
            const auto stream = renew();
            if (stop_.isSet()) return;  // set before current() was asked for, this stream is not cancelled
            const grpc::Status status = stream->run(stub_);
            if (stop_.isSet()) return;
            if (stream->reached()) back_off.reset();
            logInfo("{} ended: {}", name_, status.ok() ? "closed by the home agent" : status.error_message());
        } while (!stop_.waitFor(back_off.next()));
    }

    std::shared_ptr<Stream> renew() {
        auto stream = make_();
        const std::lock_guard lock(mutex_);
        stream_ = stream;
        return stream;
    }

    std::string name_;
    Stub stub_;
    Make make_;
    StopFlag stop_;
    std::mutex mutex_;
    std::shared_ptr<Stream> stream_;
    std::thread thread_;
};

}  // namespace homeslice::api
