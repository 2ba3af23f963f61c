// A real etcd cluster for tests: TLS with client certificates, its own files, gone with the object.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "tests/support/program.h"

namespace homeslice::testing_support {

// The calling thread, and those that it starts from now on, get a network of their own with nothing but a loopback
// link: ports in it are the test's alone. Before anything that starts threads.
void enterPrivateNetwork();

// Where a member of the cluster runs.
struct EtcdPlace {
    std::string netns;  // as `ip netns` names it; empty: the calling thread's
    std::string address;
};

class EtcdCluster {
public:
    // Starts a member at each place and waits until they have a leader; then healthy() says whether that went well.
    // `directory` is made, for data, certificates and logs.
    // The shortest lease that it grants is one and a half times `election_timeout`, in whole seconds: short for tests
    // that wait for its end, long for those that must not lose it on a busy machine.
    EtcdCluster(std::vector<EtcdPlace> places, std::string directory, std::chrono::milliseconds election_timeout);

    bool healthy() const;
    std::vector<std::string> endpoints() const;                           // HOST:PORT
    std::string certificate() const { return directory_ + "/etcd.crt"; }  // also the authority's
    std::string key() const { return directory_ + "/etcd.key"; }

    void kill(size_t member);
    void restart(size_t member);
    // etcdctl with `arguments`, from the calling thread's network; its output.
    std::string ctl(const std::vector<std::string>& arguments) const;
    // The member that leads the cluster.
    size_t leader() const;

private:
    std::vector<std::string> commandOf(size_t member) const;
    std::string endpoint(size_t member) const;

    const std::vector<EtcdPlace> places_;
    const std::string directory_;
    const std::chrono::milliseconds election_timeout_;
    std::vector<Program> members_;
};

}  // namespace homeslice::testing_support
