#include "controller/store/etcd/client.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "base/file.h"
#include "base/status.h"

namespace homeslice::controller::etcd {
namespace {

namespace pb = etcdserverpb;

// An endpoint that hangs must not cost the whole patience, nor the lease. When all were asked, and none was quick, each
// gets twice as long.
constexpr Patience kPerEndpoint{400};
constexpr int kTurns = 8;  // in a long patience
constexpr Patience kPause{20};
constexpr size_t kAtOnce = 32;  // of many transactions; what has not come about by then is made again one by one
constexpr Patience kAllAtOnce{1000};
constexpr Patience kRevokeWithin{500};

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> credentialsOf(const EtcdConfig& config) {
    grpc::SslCredentialsOptions options;
    HS_ASSIGN_OR_RETURN_CTX(options.pem_root_certs, readFile(config.authority), "--etcd-ca");
    HS_ASSIGN_OR_RETURN_CTX(options.pem_cert_chain, readFile(config.certificate), "--etcd-cert");
    HS_ASSIGN_OR_RETURN_CTX(options.pem_private_key, readFile(config.key), "--etcd-key");
    return grpc::SslCredentials(options);
}

grpc::ChannelArguments channelArguments() {
    constexpr int kReconnectMs = 200;
    constexpr int kKeepaliveMs = 10'000;
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectMs);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kReconnectMs);
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, static_cast<int>(kPatience.count()));
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
    arguments.SetMaxReceiveMessageSize(-1);  // a page is bounded by its number of rows
    // Each seat has its own connections: the end of one must not delay another's.
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return arguments;
}

// Another endpoint may do better.
bool isPassing(const grpc::Status& status) {
    return status.error_code() == grpc::StatusCode::UNAVAILABLE ||
           status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED;
}

absl::Status statusOf(const std::string& endpoint, const grpc::Status& status) {
    return {static_cast<absl::StatusCode>(status.error_code()), "etcd at " + endpoint + ": " + status.error_message()};
}

}  // namespace

absl::StatusOr<std::unique_ptr<Client>> Client::open(const EtcdConfig& config) {
    HS_ASSIGN_OR_RETURN(const auto credentials, credentialsOf(config));
    std::vector<Endpoint> endpoints;
    for (const std::string& name : config.endpoints) {
        const auto channel = grpc::CreateCustomChannel("dns:///" + name, credentials, channelArguments());
        endpoints.push_back({name, pb::KV::NewStub(channel), pb::Lease::NewStub(channel)});
    }
    if (endpoints.empty()) return invalidArgument("etcd has no endpoints");
    return std::unique_ptr<Client>(new Client(std::move(endpoints)));
}

template <typename Call>
absl::Status Client::onAny(Patience patience, const Call& call) {
    const auto deadline = std::chrono::system_clock::now() + patience;
    Patience per_endpoint = std::max(kPerEndpoint, patience / kTurns);
    for (size_t attempt = 1;; ++attempt) {
        const size_t index = current_;
        const Endpoint& endpoint = endpoints_[index];
        grpc::ClientContext context;
        context.set_deadline(std::min(deadline, std::chrono::system_clock::now() + per_endpoint));
        const grpc::Status status = call(endpoint, context);
        if (status.ok()) return absl::OkStatus();
        if (!isPassing(status)) return statusOf(endpoint.name, status);
        current_ = (index + 1) % endpoints_.size();
        if (std::chrono::system_clock::now() + kPause >= deadline) {
            return unavailable(messageOf(statusOf(endpoint.name, status)));
        }
        if (attempt % endpoints_.size() != 0) continue;
        std::this_thread::sleep_for(kPause);
        per_endpoint *= 2;
    }
}

absl::StatusOr<pb::RangeResponse> Client::range(const pb::RangeRequest& request, Patience patience) {
    pb::RangeResponse response;
    HS_RETURN_IF_ERROR(onAny(patience, [&](const Endpoint& endpoint, grpc::ClientContext& context) {
        return endpoint.kv->Range(&context, request, &response);
    }));
    return response;
}

absl::StatusOr<pb::TxnResponse> Client::txn(const pb::TxnRequest& request, Patience patience) {
    pb::TxnResponse response;
    HS_RETURN_IF_ERROR(onAny(patience, [&](const Endpoint& endpoint, grpc::ClientContext& context) {
        return endpoint.kv->Txn(&context, request, &response);
    }));
    return response;
}

absl::StatusOr<std::vector<pb::TxnResponse>> Client::txns(const std::vector<pb::TxnRequest>& requests) {
    std::vector<pb::TxnResponse> responses(requests.size());
    for (size_t begin = 0; begin < requests.size(); begin += kAtOnce) {
        const size_t count = std::min(kAtOnce, requests.size() - begin);
        const Endpoint& endpoint = endpoints_[current_];
        const auto attempts =
            attempt(endpoint, std::span(requests).subspan(begin, count), std::span(responses).subspan(begin, count));
        for (size_t i = 0; i < count; ++i) {
            if (attempts[i].ok()) continue;
            if (!isPassing(attempts[i])) return statusOf(endpoint.name, attempts[i]);
            HS_ASSIGN_OR_RETURN(responses[begin + i], txn(requests[begin + i]));
        }
    }
    return responses;
}

std::vector<grpc::Status> Client::attempt(const Endpoint& endpoint, std::span<const pb::TxnRequest> requests,
                                          std::span<pb::TxnResponse> responses) {
    const auto deadline = std::chrono::system_clock::now() + kAllAtOnce;
    std::vector<grpc::Status> statuses(requests.size());
    std::vector<grpc::ClientContext> contexts(requests.size());
    std::vector<std::unique_ptr<grpc::ClientAsyncResponseReader<pb::TxnResponse>>> readers;
    // Waited for in this thread: it may be one of those that gRPC would call back in, and the last one.
    grpc::CompletionQueue ended;
    for (size_t i = 0; i < requests.size(); ++i) {
        contexts[i].set_deadline(deadline);
        readers.push_back(endpoint.kv->AsyncTxn(&contexts[i], requests[i], &ended));
        readers.back()->Finish(&responses[i], &statuses[i], &statuses[i]);
    }
    ended.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (ended.Next(&tag, &ok)) {
    }
    return statuses;
}

absl::StatusOr<Client::Lease> Client::grantLease(std::chrono::seconds time) {
    pb::LeaseGrantRequest request;
    request.set_ttl(time.count());
    pb::LeaseGrantResponse response;
    HS_RETURN_IF_ERROR(onAny(kPatience, [&](const Endpoint& endpoint, grpc::ClientContext& context) {
        return endpoint.lease->LeaseGrant(&context, request, &response);
    }));
    if (!response.error().empty()) return unavailable("etcd grants no lease: " + response.error());
    return Lease{response.id(), std::chrono::seconds(response.ttl())};
}

absl::StatusOr<std::chrono::seconds> Client::keepAlive(int64_t lease, Patience patience) {
    pb::LeaseKeepAliveRequest request;
    request.set_id(lease);
    pb::LeaseKeepAliveResponse response;
    HS_RETURN_IF_ERROR(onAny(patience, [&](const Endpoint& endpoint, grpc::ClientContext& context) {
        const auto stream = endpoint.lease->LeaseKeepAlive(&context);
        if (stream->Write(request) && stream->Read(&response)) {
            context.TryCancel();
            static_cast<void>(stream->Finish());
            return grpc::Status::OK;
        }
        const grpc::Status status = stream->Finish();
        return status.ok() ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "it said nothing of the lease") : status;
    }));
    return std::chrono::seconds(response.ttl());
}

absl::Status Client::revoke(int64_t lease) {
    pb::LeaseRevokeRequest request;
    request.set_id(lease);
    pb::LeaseRevokeResponse response;
    return onAny(kRevokeWithin, [&](const Endpoint& endpoint, grpc::ClientContext& context) {
        return endpoint.lease->LeaseRevoke(&context, request, &response);
    });
}

}  // namespace homeslice::controller::etcd
