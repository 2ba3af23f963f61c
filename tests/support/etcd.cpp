#include "tests/support/etcd.h"

#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <thread>
#include <utility>

#include "tests/support/command.h"

namespace homeslice::testing_support {
namespace {

// Members of one network namespace have ports of their own.
constexpr size_t kClientPort = 23790;
constexpr size_t kPeerPort = 23800;

std::string nameOf(size_t member) { return "m" + std::to_string(member); }

void makeCertificate(const std::vector<EtcdPlace>& places, const std::string& key, const std::string& certificate) {
    std::string names = "subjectAltName=DNS:localhost";
    for (const EtcdPlace& place : places) names += ",IP:" + place.address;
    const CommandResult made = runCommand({"openssl",
                                           "req",
                                           "-x509",
                                           "-newkey",
                                           "ec",
                                           "-pkeyopt",
                                           "ec_paramgen_curve:P-256",
                                           "-nodes",
                                           "-days",
                                           "2",
                                           "-subj",
                                           "/CN=etcd",
                                           "-addext",
                                           names,
                                           "-addext",
                                           "extendedKeyUsage=serverAuth,clientAuth",
                                           "-keyout",
                                           key,
                                           "-out",
                                           certificate});
    EXPECT_EQ(made.status, 0) << made.err;
}

}  // namespace

void enterPrivateNetwork() {
    ASSERT_EQ(::unshare(CLONE_NEWNET), 0) << std::strerror(errno);
    const int any = ::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ifreq request{};
    std::strncpy(request.ifr_name, "lo", sizeof request.ifr_name - 1);
    request.ifr_flags = IFF_UP;
    EXPECT_EQ(::ioctl(any, SIOCSIFFLAGS, &request), 0) << std::strerror(errno);
    ::close(any);
}

EtcdCluster::EtcdCluster(std::vector<EtcdPlace> places, std::string directory,
                         std::chrono::milliseconds election_timeout)
    : places_(std::move(places)), directory_(std::move(directory)), election_timeout_(election_timeout) {
    std::filesystem::create_directories(directory_);
    makeCertificate(places_, key(), certificate());
    members_.resize(places_.size());
    for (size_t member = 0; member < places_.size(); ++member) restart(member);
    constexpr std::chrono::seconds kUpWithin{30};
    const auto deadline = std::chrono::steady_clock::now() + kUpWithin;
    while (!healthy() && std::chrono::steady_clock::now() < deadline) {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
}

bool EtcdCluster::healthy() const {
    const std::string said = ctl({"endpoint", "health"});
    size_t healthy = 0;
    for (size_t at = said.find("is healthy"); at != std::string::npos; at = said.find("is healthy", at + 1)) ++healthy;
    return healthy == places_.size();
}

std::vector<std::string> EtcdCluster::endpoints() const {
    std::vector<std::string> endpoints;
    for (size_t member = 0; member < places_.size(); ++member) endpoints.push_back(endpoint(member));
    return endpoints;
}

std::string EtcdCluster::endpoint(size_t member) const {
    return "[" + places_[member].address + "]:" + std::to_string(kClientPort + member);
}

void EtcdCluster::kill(size_t member) { members_[member].end(SIGKILL); }

void EtcdCluster::restart(size_t member) { members_[member] = Program(commandOf(member), directory_ + "/etcd.log"); }

std::string EtcdCluster::ctl(const std::vector<std::string>& arguments) const {
    std::string all;
    for (const std::string& one : endpoints()) all += (all.empty() ? "https://" : ",https://") + one;
    std::vector<std::string> command{"env",         "ETCDCTL_API=3", "etcdctl",     "--endpoints", all,  "--cacert",
                                     certificate(), "--cert",        certificate(), "--key",       key()};
    command.insert(command.end(), arguments.begin(), arguments.end());
    const CommandResult result = runCommand(command);
    return result.out + result.err;
}

size_t EtcdCluster::leader() const {
    // "ENDPOINT, ID, VERSION, SIZE, IS LEADER, ..."
    for (const std::string& line : linesOf(ctl({"endpoint", "status"}))) {
        if (line.find("B, true,") == std::string::npos) continue;
        for (size_t member = 0; member < places_.size(); ++member) {
            if (line.find(endpoint(member)) != std::string::npos) return member;
        }
    }
    return 0;
}

std::vector<std::string> EtcdCluster::commandOf(size_t member) const {
    const auto peer = [this](size_t which) {
        return "https://[" + places_[which].address + "]:" + std::to_string(kPeerPort + which);
    };
    std::string cluster;
    for (size_t other = 0; other < places_.size(); ++other) {
        cluster += (other == 0 ? "" : ",") + nameOf(other) + "=" + peer(other);
    }
    const std::string client = "https://" + endpoint(member);
    std::vector<std::string> command;
    if (!places_[member].netns.empty()) command = {"ip", "netns", "exec", places_[member].netns};
    const std::vector<std::string> etcd{"etcd",
                                        "--name",
                                        nameOf(member),
                                        "--data-dir",
                                        directory_ + "/" + nameOf(member),
                                        "--listen-client-urls",
                                        client,
                                        "--advertise-client-urls",
                                        client,
                                        "--listen-peer-urls",
                                        peer(member),
                                        "--initial-advertise-peer-urls",
                                        peer(member),
                                        "--initial-cluster",
                                        cluster,
                                        "--cert-file",
                                        certificate(),
                                        "--key-file",
                                        key(),
                                        "--trusted-ca-file",
                                        certificate(),
                                        "--client-cert-auth",
                                        "--peer-cert-file",
                                        certificate(),
                                        "--peer-key-file",
                                        key(),
                                        "--peer-trusted-ca-file",
                                        certificate(),
                                        "--peer-client-cert-auth",
                                        "--heartbeat-interval",
                                        std::to_string(election_timeout_.count() / 10),
                                        "--election-timeout",
                                        std::to_string(election_timeout_.count()),
                                        "--logger",
                                        "zap",
                                        "--log-outputs",
                                        "stderr",
                                        "--log-level",
                                        "warn"};
    command.insert(command.end(), etcd.begin(), etcd.end());
    return command;
}

}  // namespace homeslice::testing_support
