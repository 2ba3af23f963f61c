#include "node.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "base/clock.h"
#include "base/file.h"
#include "base/status.h"
#include "certificates.h"
#include "memory.h"
#include "noded/sys/cgroup.h"
#include "noded/sys/mount.h"
#include "noded/sys/netlink.h"

namespace homeslice::bench {
namespace {

constexpr std::chrono::seconds kPatience{60};
constexpr std::chrono::seconds kLongPatience{600};
constexpr uint16_t kApiPort = 7401;
constexpr uint8_t kUnderlayLength = 64;
constexpr uint32_t kIdRanges = 4096;

// Host 1 is this end, host 2 the node's.
Ipv6Address underlay(uint32_t node, uint64_t host) {
    return Ipv6Address::parse("fd00:51ce:0:" + std::to_string(node) + "::").value().withInterfaceId(host);
}

double secondsSince(Monotonic::time_point begin) {
    return std::chrono::duration<double>(Monotonic::now() - begin).count();
}

// A new network namespace; the caller stays in its own.
absl::StatusOr<UniqueFd> makeNetwork() {
    HS_ASSIGN_OR_RETURN(const UniqueFd here, openFile("/proc/thread-self/ns/net", O_RDONLY));
    if (::unshare(CLONE_NEWNET) != 0) return errnoStatus(errno, "unshare(CLONE_NEWNET)");
    auto made = openFile("/proc/thread-self/ns/net", O_RDONLY);
    if (::setns(here.get(), CLONE_NEWNET) != 0) return errnoStatus(errno, "setns(back)");
    return made;
}

absl::Status bringUp(sys::Netlink& network, const std::string& name, const Ipv6Address& address) {
    HS_ASSIGN_OR_RETURN(const sys::Link link, network.link(name));
    HS_RETURN_IF_ERROR(network.setUp(link.index));
    return network.addAddress(link.index, address, kUnderlayLength);
}

bool isFinal(v1::SliverState state) { return state == v1::SLIVER_STATE_EXITED || state == v1::SLIVER_STATE_FAILED; }

absl::Status checkExited(const v1::SliverStatus& status) {
    if (status.state() == v1::SLIVER_STATE_EXITED && status.exit_status() == 0) return absl::OkStatus();
    return internalError("sliver " + std::to_string(status.sliver().index()) + " failed: " + status.reason());
}

}  // namespace

Node::Node(const NodeConfig& config, const Rootfs& rootfs) : config_(config), controller_(rootfs) {}

absl::StatusOr<std::unique_ptr<Node>> Node::start(const NodeConfig& config, const Rootfs& rootfs) {
    std::unique_ptr<Node> node(new Node(config, rootfs));
    HS_RETURN_IF_ERROR(node->connectNetwork());
    HS_RETURN_IF_ERROR(node->prepareCredentials());
    HS_ASSIGN_OR_RETURN(
        node->controller_port_,
        node->controller_.listen("[" + underlay(config.number, 1).toString() + "]:0", *node->credentials_));
    HS_RETURN_IF_ERROR(node->startNoded());
    HS_RETURN_IF_ERROR(node->controller_.awaitNode(kPatience));
    return node;
}

absl::Status Node::prepareCredentials() {
    const std::string own = config_.directory + "/controller-tls";
    const std::string state = config_.directory + "/state";
    HS_RETURN_IF_ERROR(makeDirectories(state));
    HS_RETURN_IF_ERROR(makeCertificates(own, state + "/tls", config_.name));
    HS_ASSIGN_OR_RETURN(credentials_, tls::Credentials::open(own));
    return absl::OkStatus();
}

absl::Status Node::connectNetwork() {
    HS_ASSIGN_OR_RETURN(network_, makeNetwork());
    const std::string link = "hs-bench" + std::to_string(config_.number);
    HS_ASSIGN_OR_RETURN(sys::Netlink here, sys::Netlink::open());
    HS_RETURN_IF_ERROR(here.addVeth({.name = link,
                                     .mac = sys::randomMac(),
                                     .peer_name = "eth0",
                                     .peer_mac = sys::randomMac(),
                                     .peer_netns_fd = network_.get(),
                                     .mtu = 1500}));
    HS_ASSIGN_OR_RETURN(sys::Netlink there, sys::Netlink::openIn(network_.get()));
    HS_ASSIGN_OR_RETURN(const sys::Link loopback, there.link("lo"));
    HS_RETURN_IF_ERROR(there.setUp(loopback.index));
    HS_RETURN_IF_ERROR(bringUp(here, link, underlay(config_.number, 1)));
    return bringUp(there, "eth0", underlay(config_.number, 2));
}

absl::Status Node::startNoded() {
    std::vector<std::string> argv = {
        config_.programs + "/noded",
        "--name",
        config_.name,
        "--state-dir",
        config_.directory + "/state",
        "--run-dir",
        config_.directory + "/run",
        "--uplink",
        "eth0",
        "--care-of",
        underlay(config_.number, 2).toString(),
        "--api-port",
        std::to_string(kApiPort),
        "--controller",
        "[" + underlay(config_.number, 1).toString() + "]:" + std::to_string(controller_port_),
        "--cgroup-parent",
        kCgroup + "/" + config_.name,
        "--first-id",
        std::to_string((config_.number + 1) * kIdRanges * 65536),
        "--id-ranges",
        std::to_string(kIdRanges),
        "--pool",
        std::to_string(config_.pool),
        "--log-level",
        "warning"};
    std::vector<char*> raw;
    for (std::string& argument : argv) raw.push_back(argument.data());
    raw.push_back(nullptr);
    HS_RETURN_IF_ERROR(makeDirectories(config_.directory));
    noded_ = ::fork();
    if (noded_ < 0) return errnoStatus(errno, "fork");
    if (noded_ == 0) {
        if (::setns(network_.get(), CLONE_NEWNET) == 0) ::execv(raw[0], raw.data());
        ::_exit(127);
    }
    return absl::OkStatus();
}

Node::~Node() { killAll(); }

void Node::killAll() {
    if (noded_ > 0) {
        ::kill(noded_, SIGKILL);
        ::waitpid(noded_, nullptr, 0);
    }
    sys::detachMount(config_.directory + "/run/bpf").IgnoreError();  // in the way of the directory's removal
    const auto cgroups = sys::Cgroups::open();
    if (!cgroups.ok()) return;
    const std::string parent = kCgroup + "/" + config_.name;
    for (const std::string& group : (*cgroups)->children(parent)) {
        (*cgroups)->killAll(group).IgnoreError();
        (*cgroups)->deleteGroup(group).IgnoreError();
    }
    (*cgroups)->deleteGroup(parent).IgnoreError();
}

absl::Status Node::awaitEnd(uint32_t index) {
    absl::Status end;
    HS_RETURN_IF_ERROR(controller_.await(
        "the end of sliver " + std::to_string(index),
        [&](const Reports& reports) {
            const auto found = reports.find(index);
            if (found == reports.end() || !isFinal(found->second.state())) return false;
            end = checkExited(found->second);
            return true;
        },
        kPatience));
    return end;
}

absl::Status Node::removeAll() {
    HS_RETURN_IF_ERROR(controller_.desire({}, {}));
    return controller_.await(
        "all slivers to go", [](const Reports& reports) { return reports.empty(); }, kLongPatience);
}

// noded says in its inspection how many environments lie ready. It is asked at intervals: nobody tells.
absl::Status Node::awaitPool() {
    if (config_.pool == 0) return absl::OkStatus();
    constexpr std::chrono::milliseconds kInterval{10};
    const auto channel =
        credentials_->channel("[" + underlay(config_.number, 2).toString() + "]:" + std::to_string(kApiPort),
                              pki::nodeServerName(config_.name), {});
    const auto stub = v1::NodeService::NewStub(channel);
    const auto deadline = Monotonic::now() + kPatience;
    while (Monotonic::now() < deadline) {
        grpc::ClientContext context;
        v1::InspectResponse response;
        const grpc::Status status = stub->Inspect(&context, {}, &response);
        if (!status.ok()) return unavailable("inspect: " + status.error_message());
        const auto json = nlohmann::json::parse(response.json(), nullptr, false);
        const auto pool = json.find("pool");
        if (pool == json.end() || pool->value("ready", 0U) >= pool->value("size", 0U)) return absl::OkStatus();
        std::this_thread::sleep_for(kInterval);
    }
    return deadlineExceeded("the pool does not fill");
}

absl::StatusOr<double> Node::runOne() {
    const uint32_t index = next_++;
    const auto begin = Monotonic::now();
    HS_RETURN_IF_ERROR(controller_.desire({index}, kShortCommand));
    HS_RETURN_IF_ERROR(awaitEnd(index));
    const double spent = secondsSince(begin);
    HS_RETURN_IF_ERROR(removeAll());
    HS_RETURN_IF_ERROR(awaitPool());
    return spent;
}

absl::StatusOr<double> Node::runMany(uint32_t count, uint32_t parallel) {
    const auto begin = Monotonic::now();
    std::set<uint32_t> under_way;
    for (uint32_t started = 0; started < count || !under_way.empty();) {
        for (; started < count && under_way.size() < parallel; ++started) under_way.insert(next_++);
        HS_RETURN_IF_ERROR(controller_.desire({under_way.begin(), under_way.end()}, kShortCommand));
        absl::Status end;
        HS_RETURN_IF_ERROR(controller_.await(
            "the end of a sliver",
            [&](const Reports& reports) {
                const size_t before = under_way.size();
                for (const auto& [index, status] : reports) {
                    if (isFinal(status.state()) && under_way.erase(index) > 0) end.Update(checkExited(status));
                }
                return under_way.size() < before;
            },
            kPatience));
        HS_RETURN_IF_ERROR(end);
    }
    HS_RETURN_IF_ERROR(removeAll());
    const double spent = secondsSince(begin);
    HS_RETURN_IF_ERROR(awaitPool());
    return spent;
}

absl::StatusOr<double> Node::holdMany(uint32_t count) {
    std::vector<uint32_t> indices(count);
    for (uint32_t& index : indices) index = next_++;
    const auto begin = Monotonic::now();
    HS_RETURN_IF_ERROR(controller_.desire(indices, kLongCommand));
    HS_RETURN_IF_ERROR(controller_.await(
        std::to_string(count) + " running slivers",
        [&](const Reports& reports) {
            return std::count_if(reports.begin(), reports.end(), [](const auto& each) {
                       return each.second.state() == v1::SLIVER_STATE_RUNNING;
                   }) == static_cast<std::ptrdiff_t>(count);
        },
        kLongPatience));
    return secondsSince(begin);
}

double Node::memory() const {
    double sum = 0;
    for (const pid_t pid : treeOf(noded_)) {
        const std::string name = nameOf(pid);
        if (name == "noded" || name == "noded-launcher" || name == "sliver-init") sum += pssOf(pid);
    }
    return sum;
}

}  // namespace homeslice::bench
