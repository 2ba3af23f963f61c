#include "noded/api/binding_transport.h"

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "homeslice/v1/binding.grpc.pb.h"
#include "noded/api/binding_convert.h"
#include "noded/api/channel.h"
#include "noded/api/grpc_status.h"
#include "noded/api/retry.h"

namespace homeslice::api {
namespace {

constexpr std::chrono::milliseconds kFirstRetry{50};
constexpr std::chrono::milliseconds kLastRetry{2000};

using Callbacks = mobility::BindingTransport::Callbacks;
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

class UpdateStream final : public Stream,
                           private grpc::ClientBidiReactor<v1::BindingUpdate, v1::BindingAcknowledgement> {
public:
    explicit UpdateStream(const Callbacks& callbacks) : callbacks_(callbacks) {}

    grpc::Status run(Stub& stub) override {
        stub.async()->Update(&context_, this);
        AddHold();  // for send(), which comes from outside; given up when reading ends
        StartRead(&acknowledgement_);
        StartCall();
        return end_.wait();
    }

    void send(const mobility::BindingUpdate& update) override {
        const std::lock_guard lock(mutex_);
        if (!open_) return;
        queue_.push_back(update);
        if (!writing_) writeNext();
    }

private:
    void OnReadInitialMetadataDone(bool ok) override {
        if (!ok) return;
        {
            const std::lock_guard lock(mutex_);
            reached_ = true;
            open_ = true;
        }
        callbacks_.connected();
    }

    void OnReadDone(bool ok) override {
        if (!ok) {
            close();
            RemoveHold();
            return;
        }
        const auto acknowledgement = acknowledgementOf(acknowledgement_);
        if (acknowledgement.ok()) {
            callbacks_.acknowledged(*acknowledgement);
        } else {
            logWarning("binding acknowledgement: {}", messageOf(acknowledgement.status()));
            context_.TryCancel();
        }
        StartRead(&acknowledgement_);
    }

    void OnWriteDone(bool ok) override {
        const std::lock_guard lock(mutex_);
        writing_ = false;
        if (!ok) open_ = false;
        if (open_ && !queue_.empty()) writeNext();
    }

    void OnDone(const grpc::Status& status) override { end_.set(status); }

    void close() {
        const std::lock_guard lock(mutex_);
        open_ = false;
    }

    // With the lock held.
    void writeNext() {
        update_ = toMessage(queue_.front());
        queue_.pop_front();
        writing_ = true;
        StartWrite(&update_);
    }

    const Callbacks& callbacks_;
    CallEnd end_;
    v1::BindingAcknowledgement acknowledgement_;
    std::mutex mutex_;
    std::deque<mobility::BindingUpdate> queue_;
    v1::BindingUpdate update_;  // the one being written
    bool writing_ = false;
    bool open_ = false;
};

class WatchStream final : public Stream, private grpc::ClientReadReactor<v1::BindingEvent> {
public:
    explicit WatchStream(const Callbacks& callbacks) : callbacks_(callbacks) {}

    grpc::Status run(Stub& stub) override {
        stub.async()->Watch(&context_, &request_, this);
        StartRead(&event_);
        StartCall();
        return end_.wait();
    }

private:
    void OnReadDone(bool ok) override {
        if (!ok) return;
        // Not with the initial metadata, whose reaction may run beside the first event's.
        if (!std::exchange(reached_, true)) callbacks_.watching();
        const auto event = bindingEventOf(event_, Monotonic::now());
        if (event.ok()) {
            callbacks_.event(*event);
        } else {
            logWarning("binding event: {}", messageOf(event.status()));
            context_.TryCancel();
        }
        StartRead(&event_);
    }

    void OnDone(const grpc::Status& status) override { end_.set(status); }

    const Callbacks& callbacks_;
    CallEnd end_;
    v1::WatchBindingsRequest request_;
    v1::BindingEvent event_;
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

class GrpcBindingTransport final : public mobility::BindingTransport {
public:
    GrpcBindingTransport(const tls::Credentials& credentials, const mobility::HomeAgentAddress& home_agent,
                         Callbacks callbacks)
        : callbacks_(std::move(callbacks)),
          channel_(makeChannel(credentials, targetOf(home_agent.address, home_agent.api_port), pki::kAnyNodeName,
                               kFirstRetry)),
          updates_("binding updates to " + home_agent.address.toString(), channel_,
                   [this] { return std::make_shared<UpdateStream>(callbacks_); }),
          watch_("watch of " + home_agent.address.toString(), channel_,
                 [this] { return std::make_shared<WatchStream>(callbacks_); }) {}

    void send(const mobility::BindingUpdate& update) override {
        if (const auto stream = updates_.current()) stream->send(update);
    }

private:
    const Callbacks callbacks_;
    std::shared_ptr<grpc::Channel> channel_;
    Keeper updates_;
    Keeper watch_;
};

}  // namespace

mobility::TransportFactory bindingTransports(std::shared_ptr<tls::Credentials> credentials) {
    return [credentials = std::move(credentials)](const mobility::HomeAgentAddress& home_agent, Callbacks callbacks) {
        return std::make_unique<GrpcBindingTransport>(*credentials, home_agent, std::move(callbacks));
    };
}

}  // namespace homeslice::api
