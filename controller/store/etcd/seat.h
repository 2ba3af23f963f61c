// The store in etcd, which several controllers share: one of them leads, and only that one can write.
//
// Each controller holds a lease; who leads has put the key PREFIX/leader under its own. Every transaction compares that
// key, so a controller that was deposed, and does not know it yet, writes nothing. No protobuf above this header.
#pragma once

#include <absl/status/statusor.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "controller/store/store.h"

namespace homeslice::controller {

struct EtcdConfig {
    std::vector<std::string> endpoints;  // HOST:PORT, of one cluster
    // PEM files: the authority of etcd's certificates, and the certificate and key that are shown to etcd.
    std::string authority;
    std::string certificate;
    std::string key;
    std::string prefix = "/homeslice";  // of all keys
};

// A controller's seat at an etcd cluster. Threads: any; it has one of its own, which keeps the lease alive.
class EtcdSeat {
public:
    // `address`: where others find this controller; also its name among them. Empty for one that serves nobody, and
    // only looks after the store. UNAVAILABLE when no endpoint answers, NOT_FOUND and the like for the files.
    static absl::StatusOr<std::unique_ptr<EtcdSeat>> open(const EtcdConfig& config, const std::string& address);
    // Gives the lead and the lease up, if etcd answers, so that another need not wait for the lease's end.
    virtual ~EtcdSeat() = default;

    // Takes the lead when nobody has it; true when this controller leads. Answers within about two seconds.
    virtual absl::StatusOr<bool> campaign() = 0;
    // False as soon as the lease may have ended, by this machine's clock, or a transaction found another leader.
    virtual bool leads() const = 0;
    // Who led when campaign() last looked; empty: nobody.
    virtual std::string leader() const = 0;
    // The other controllers that are up.
    virtual absl::StatusOr<std::vector<std::string>> others() = 0;
    // Digests of all images that have a name, also while another one leads.
    virtual absl::StatusOr<std::vector<std::string>> imageDigests() = 0;
    // For the time of this lead; leadLost() from each write after it, or without one. Call load() first. The seat
    // outlives it. A batch that is larger than one transaction of etcd's is written as an intent first, which load()
    // completes after a crash.
    virtual std::unique_ptr<DurableStore> store() = 0;
};

}  // namespace homeslice::controller
