// etcd's API over gRPC and TLS, on whichever endpoint answers. Internal to the etcd store. Threads: any.
#pragma once

#include <absl/status/statusor.h>
#include <etcd/rpc.grpc.pb.h>
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "controller/store/etcd/seat.h"

namespace homeslice::controller::etcd {

using Patience = std::chrono::milliseconds;
inline constexpr Patience kPatience{3000};

class Client {
public:
    static absl::StatusOr<std::unique_ptr<Client>> open(const EtcdConfig& config);

    // Asks endpoint after endpoint, for as long as `patience`. UNAVAILABLE: none has answered, and what was asked may
    // have been done or not, or may be done yet.
    absl::StatusOr<etcdserverpb::RangeResponse> range(const etcdserverpb::RangeRequest& request,
                                                      Patience patience = kPatience);
    // Must be harmless when done twice.
    absl::StatusOr<etcdserverpb::TxnResponse> txn(const etcdserverpb::TxnRequest& request,
                                                  Patience patience = kPatience);
    // The same with many, several at a time: in no order. The answers are in the requests' order.
    absl::StatusOr<std::vector<etcdserverpb::TxnResponse>> txns(const std::vector<etcdserverpb::TxnRequest>& requests);

    struct Lease {
        int64_t id = 0;
        std::chrono::seconds time{};
    };
    absl::StatusOr<Lease> grantLease(std::chrono::seconds time);
    // How long it lives from now on; 0: there is no such lease any more.
    absl::StatusOr<std::chrono::seconds> keepAlive(int64_t lease, Patience patience);
    absl::Status revoke(int64_t lease);

private:
    struct Endpoint {
        std::string name;
        std::unique_ptr<etcdserverpb::KV::Stub> kv;
        std::unique_ptr<etcdserverpb::Lease::Stub> lease;
    };

    explicit Client(std::vector<Endpoint> endpoints) : endpoints_(std::move(endpoints)) {}
    template <typename Call>
    absl::Status onAny(Patience patience, const Call& call);
    // Once, all at once. The spans are of one size.
    static std::vector<grpc::Status> attempt(const Endpoint& endpoint,
                                             std::span<const etcdserverpb::TxnRequest> requests,
                                             std::span<etcdserverpb::TxnResponse> responses);

    const std::vector<Endpoint> endpoints_;
    std::atomic<size_t> current_ = 0;  // that answered last
};

}  // namespace homeslice::controller::etcd
