#include "pki/tls/open_calls.h"

#include <utility>
#include <vector>

namespace homeslice::tls {

// Lives as long as its call's context. The call leaves the list when its status is sent, which every call does, so that
// none is cancelled while its context is on the way out.
class OpenCalls::Interceptor : public grpc::experimental::Interceptor {
public:
    Interceptor(OpenCalls& calls, uint64_t number) : calls_(calls), number_(number) {}
    ~Interceptor() override { leave(); }
    Interceptor(const Interceptor&) = delete;
    Interceptor& operator=(const Interceptor&) = delete;

    void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
        using Hook = grpc::experimental::InterceptionHookPoints;
        if (methods->QueryInterceptionHookPoint(Hook::PRE_SEND_STATUS)) leave();
        methods->Proceed();
    }

private:
    void leave() {
        const std::lock_guard lock(calls_.mutex_);
        calls_.calls_.erase(number_);
    }

    OpenCalls& calls_;
    const uint64_t number_;
};

class OpenCalls::Factory : public grpc::experimental::ServerInterceptorFactoryInterface {
public:
    explicit Factory(OpenCalls& calls) : calls_(calls) {}

    grpc::experimental::Interceptor* CreateServerInterceptor(grpc::experimental::ServerRpcInfo* info) override {
        // Public there, and not in the base.
        auto* const context = static_cast<grpc::CallbackServerContext*>(info->server_context());
        auto peer = peerOf(*context->auth_context());
        if (!peer.ok()) return nullptr;
        if (calls_.begun_) calls_.begun_();
        const std::lock_guard lock(calls_.mutex_);
        const uint64_t number = ++calls_.last_number_;
        calls_.calls_.emplace(number, Call{context, *std::move(peer)});
        return new Interceptor(calls_, number);
    }

private:
    OpenCalls& calls_;
};

void OpenCalls::watch(grpc::ServerBuilder& builder, std::function<void()> begun) {
    begun_ = std::move(begun);
    std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> factories;
    factories.push_back(std::make_unique<Factory>(*this));
    builder.experimental().SetInterceptorCreators(std::move(factories));
}

void OpenCalls::keepOnly(const std::function<bool(const pki::Identity&)>& passes) {
    const auto now = Utc::now();
    // `passes` takes locks under which calls are finished: it is asked without ours.
    for (const auto& [number, peer] : peers()) {
        if (peer.expires > now && passes(peer.identity)) continue;
        const std::lock_guard lock(mutex_);
        const auto found = calls_.find(number);
        if (found != calls_.end()) found->second.context->TryCancel();
    }
}

std::vector<std::pair<uint64_t, Peer>> OpenCalls::peers() {
    const std::lock_guard lock(mutex_);
    std::vector<std::pair<uint64_t, Peer>> peers;
    for (const auto& [number, call] : calls_) peers.emplace_back(number, call.peer);
    return peers;
}

}  // namespace homeslice::tls
