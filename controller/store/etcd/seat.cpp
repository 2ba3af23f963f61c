#include "controller/store/etcd/seat.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "controller/store/etcd/client.h"
#include "controller/store/etcd/keys.h"
#include "controller/store/etcd/rows.h"
#include "controller/store/etcd/store.h"

namespace homeslice::controller {
namespace {

namespace pb = etcdserverpb;

// The shortest that etcd grants: it raises it to what its own election timeout allows (two seconds by default).
constexpr std::chrono::seconds kLeaseTime{1};
constexpr int kKeepAlivesPerLease = 5;

std::string hostOf(const std::string& address) { return address.substr(0, address.rfind(':')); }

// The etcd on the controller's own machine first: when another machine is cut off, that is nothing to this pair.
EtcdConfig nearestFirst(EtcdConfig config, const std::string& address) {
    std::stable_partition(config.endpoints.begin(), config.endpoints.end(),
                          [&](const std::string& endpoint) { return hostOf(endpoint) == hostOf(address); });
    return config;
}

class Seat : public EtcdSeat {
public:
    Seat(std::unique_ptr<etcd::Client> client, const std::string& prefix, std::string address)
        : client_(std::move(client)), keys_(prefix), address_(std::move(address)), keeper_([this] { keep(); }) {}

    ~Seat() override {
        {
            const std::lock_guard lock(mutex_);
            stop_ = true;
            changed_.notify_all();
        }
        keeper_.join();
        if (lease_.id == 0) return;
        if (const absl::Status gone = client_->revoke(lease_.id); !gone.ok()) {
            logWarning("the lease is left to its end: {}", messageOf(gone));
        }
    }

    absl::StatusOr<bool> campaign() override {
        HS_ASSIGN_OR_RETURN(const int64_t lease, takeSeat());
        HS_ASSIGN_OR_RETURN(pb::RangeResponse found, client_->range(etcd::rangeOf(keys_.leader())));
        if (found.kvs_size() == 0) {
            HS_ASSIGN_OR_RETURN(found, stand(lease));
        }
        return judge(found, lease);
    }

    bool leads() const override {
        const std::lock_guard lock(mutex_);
        return created_ != 0 && Monotonic::now() < good_until_;
    }

    std::string leader() const override {
        const std::lock_guard lock(mutex_);
        return leader_;
    }

    absl::StatusOr<std::vector<std::string>> others() override {
        constexpr int64_t kMost = 100;
        HS_ASSIGN_OR_RETURN(const pb::RangeResponse members, client_->range(etcd::rangeBelow(keys_.members(), kMost)));
        std::vector<std::string> addresses;
        for (const pb::KeyValue& member : members.kvs()) {
            if (member.value() != address_) addresses.push_back(member.value());
        }
        return addresses;
    }

    absl::StatusOr<std::vector<std::string>> imageDigests() override {
        constexpr int64_t kMost = 100'000;
        HS_ASSIGN_OR_RETURN(const pb::RangeResponse rows,
                            client_->range(etcd::rangeBelow(keys_.data() + kImages.name + "/", kMost)));
        std::vector<std::string> digests;
        for (const pb::KeyValue& text : rows.kvs()) {
            HS_ASSIGN_OR_RETURN(JsonRowReader row, JsonRowReader::parse(text.value()));
            HS_ASSIGN_OR_RETURN(const Image image, readImage(row));
            digests.push_back(image.digest);
        }
        return digests;
    }

    std::unique_ptr<DurableStore> store() override {
        const std::lock_guard lock(mutex_);
        return etcd::makeStore(*client_, keys_, {.created = created_, .lost = [this] { loseLead(); }});
    }

    // A lease, and a name among the members. Nothing when there is one already.
    absl::StatusOr<int64_t> takeSeat() {
        {
            const std::lock_guard lock(mutex_);
            if (lease_.id != 0) return lease_.id;
        }
        const auto asked = Monotonic::now();
        HS_ASSIGN_OR_RETURN(const etcd::Client::Lease lease, client_->grantLease(kLeaseTime));
        if (!address_.empty()) {
            pb::TxnRequest join;
            *join.add_success() = etcd::putOf(keys_.members() + address_, address_, lease.id);
            HS_RETURN_IF_ERROR(client_->txn(join).status());
        }
        const std::lock_guard lock(mutex_);
        lease_ = lease;
        good_until_ = asked + lease.time;
        changed_.notify_all();
        return lease.id;
    }

private:
    // The leader's key, which is this controller's if nobody was quicker.
    absl::StatusOr<pb::RangeResponse> stand(int64_t lease) {
        pb::TxnRequest request;
        *request.add_compare() = etcd::createdAt(keys_.leader(), 0);
        *request.add_success() = etcd::putOf(keys_.leader(), address_, lease);
        const auto stood = client_->txn(request);
        if (stood.status().code() == absl::StatusCode::kNotFound) loseLease();
        HS_RETURN_IF_ERROR(stood.status());
        return client_->range(etcd::rangeOf(keys_.leader()));
    }

    bool judge(const pb::RangeResponse& found, int64_t lease) {
        const std::lock_guard lock(mutex_);
        leader_ = found.kvs_size() == 0 ? "" : found.kvs(0).value();
        const bool mine = found.kvs_size() != 0 && found.kvs(0).lease() == lease && lease_.id == lease;
        created_ = mine ? found.kvs(0).create_revision() : 0;
        return mine && Monotonic::now() < good_until_;
    }

    void loseLead() {
        const std::lock_guard lock(mutex_);
        created_ = 0;
    }

    void loseLease() {
        const std::lock_guard lock(mutex_);
        lease_ = {};
        created_ = 0;
    }

    void keep() {
        std::unique_lock lock(mutex_);
        while (!stop_) {
            const auto pause =
                std::chrono::milliseconds(lease_.id == 0 ? kLeaseTime : lease_.time) / kKeepAlivesPerLease;
            changed_.wait_for(lock, pause, [this] { return stop_; });
            if (stop_ || lease_.id == 0) continue;
            const etcd::Client::Lease lease = lease_;
            lock.unlock();
            const auto asked = Monotonic::now();
            const auto time = client_->keepAlive(lease.id, std::chrono::milliseconds(lease.time));
            lock.lock();
            if (!time.ok()) {
                logWarning("the lease is not renewed, trying again: {}", messageOf(time.status()));
            } else if (time->count() > 0) {
                good_until_ = asked + *time;
            } else {
                lease_ = {};
                created_ = 0;
            }
        }
    }

    const std::unique_ptr<etcd::Client> client_;
    const etcd::Keys keys_;
    const std::string address_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    bool stop_ = false;
    etcd::Client::Lease lease_;  // id 0: none
    Monotonic::time_point good_until_{};
    int64_t created_ = 0;  // revision of the leader's key, while this controller leads
    std::string leader_;
    std::thread keeper_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<EtcdSeat>> EtcdSeat::open(const EtcdConfig& config, const std::string& address) {
    HS_ASSIGN_OR_RETURN(auto client, etcd::Client::open(nearestFirst(config, address)));
    auto seat = std::make_unique<Seat>(std::move(client), config.prefix, address);
    HS_RETURN_IF_ERROR(seat->takeSeat().status());
    return seat;
}

}  // namespace homeslice::controller
