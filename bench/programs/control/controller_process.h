// The real sliced, over a store of its own, with the nodes of the fleet enrolled already.
#pragma once

#include <absl/status/statusor.h>
#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <vector>

#include "homeslice/v1/controller.grpc.pb.h"
#include "pki/certificate.h"
#include "process.h"

namespace homeslice::bench {

enum class StoreKind { sqlite, etcd };

struct ControllerConfig {
    std::string programs;   // directory of sliced
    std::string directory;  // for all state
    StoreKind store = StoreKind::sqlite;
    size_t nodes = 0;  // to be enrolled
};

std::string nodeName(size_t number);
// That the node's certificate carries.
std::string enrolmentOf(size_t number);

class ControllerProcess {
public:
    static absl::StatusOr<std::unique_ptr<ControllerProcess>> start(const ControllerConfig& config);

    // As after a crash.
    void kill() { sliced_->kill(); }
    // Starts it again, and waits until it serves.
    absl::Status restart();

    Process& process() { return *sliced_; }
    // As the local administrator.
    v1::ControllerService::Stub& client() { return *client_; }
    // Where nodes connect to.
    static std::string address();
    const pki::Authority& authority() const { return *authority_; }

private:
    explicit ControllerProcess(const ControllerConfig& config) : config_(config) {}
    absl::Status initialise();
    absl::Status enrolNodes() const;
    absl::Status startEtcd();
    absl::Status awaitService();
    std::vector<std::string> sliced(const std::vector<std::string>& arguments) const;
    std::string stateDirectory() const { return config_.directory + "/state"; }
    std::string socket() const { return config_.directory + "/sliced.sock"; }

    const ControllerConfig config_;
    std::unique_ptr<pki::Authority> authority_;
    std::unique_ptr<Process> etcd_;
    std::unique_ptr<Process> sliced_;
    std::unique_ptr<v1::ControllerService::Stub> client_;
};

}  // namespace homeslice::bench
