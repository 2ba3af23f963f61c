#include "noded/api/binding_transport.h"

#include <grpcpp/grpcpp.h>

#include <deque>
#include <memory>
#include <mutex>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "noded/api/binding_convert.h"
#include "noded/api/binding_streams.h"
#include "noded/api/channel.h"
#include "noded/api/grpc_status.h"

namespace homeslice::api {
namespace {

using Callbacks = mobility::BindingTransport::Callbacks;

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
        if (!ok) {
            open_ = false;
            context_.TryCancel();  // what was to be written is lost: a new stream begins with everything
        }
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
