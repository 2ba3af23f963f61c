// Who may call this node: the controller, and the nodes whose certificates count. What is known of them came with a
// picture from the controller, and is remembered without one (NetworkSettings). Threads: any.
#pragma once

#include <grpcpp/grpcpp.h>

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "pki/tls/open_calls.h"
#include "spec/sliver_id.h"

namespace homeslice::api {

class PeerTable {
public:
    // By node name, the enrolment that its certificate has to carry; and which nodes may be home agents. Calls of those
    // that count no more are ended. Not from gRPC's threads.
    void set(const std::map<std::string, std::string>& enrolments, const std::set<std::string>& home_agents = {});
    // Which node may take which stopped sliver's disk.
    void setDiskReaders(const std::map<SliverId, std::string>& readers);
    // Ends the calls of certificates that have expired meanwhile. As set().
    void review();

    // Whether `peer` may call `method`, "/homeslice.v1.NodeService/Exec". The error names the right that is missing.
    absl::Status check(const pki::Identity& peer, const std::string& method) const;
    absl::Status checkDiskReader(const grpc::CallbackServerContext& context, const SliverId& sliver) const;

    // Has every call of the server checked, and watched. The table outlives the server.
    void guard(grpc::ServerBuilder& builder, grpc::ServerCredentials& credentials);

private:
    class Check;
    bool counts(const pki::Identity& peer) const;
    bool mayBeHomeAgent(const std::string& node) const;

    mutable std::mutex mutex_;
    std::map<std::string, std::string> enrolments_;
    std::set<std::string> home_agents_;
    std::map<SliverId, std::string> disk_readers_;
    tls::OpenCalls open_calls_;
};

}  // namespace homeslice::api
