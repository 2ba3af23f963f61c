// bench/runtime: how long a sliver takes to start and how much memory it holds, against other runtimes, in one run.
// To be started by bench/runtime, as PID 1 of a pid namespace, with mount and network namespaces of its own.
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>
#include <memory>
#include <thread>

#include "base/clock.h"
#include "base/defer.h"
#include "base/file.h"
#include "base/status.h"
#include "node.h"
#include "noded/sys/cgroup.h"
#include "noded/sys/netlink.h"
#include "peers.h"
#include "results.h"
#include "rootfs.h"
#include "runner.h"
#include "shell.h"

namespace homeslice::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// How much is measured.
struct Extent {
    unsigned rounds;
    unsigned idle_rounds;
    unsigned many;
    unsigned crowd;
    seconds single_budget;  // rounds end when it is spent
};
constexpr Extent kFull{.rounds = 200, .idle_rounds = 30, .many = 100, .crowd = 1000, .single_budget = seconds(100)};
constexpr Extent kQuick{.rounds = 60, .idle_rounds = 4, .many = 24, .crowd = 0, .single_budget = seconds(12)};

constexpr unsigned kWarmUp = 3;
constexpr unsigned kParallel = 8;
constexpr unsigned kPool = 8;
constexpr unsigned kMemoryCount = 20;
constexpr milliseconds kIdleGap{200};
constexpr double kMillis = 1000;

struct Options {
    bool quick = false;
    bool json = false;
    std::string programs;
    std::string plot;
};

// One that can be asked to run.
struct Contestant {
    Series series;
    std::function<absl::StatusOr<double>(unsigned count, unsigned parallel)> run;  // seconds
};

// One after the other, so that what the machine does meanwhile touches all alike; each round begins with another one.
absl::Status measureSingles(std::vector<Contestant>& contestants, const Extent& extent) {
    const auto deadline = Monotonic::now() + extent.single_budget;
    for (unsigned round = 0; round < extent.rounds + kWarmUp; ++round) {
        for (size_t i = 0; i < contestants.size(); ++i) {
            Contestant& contestant = contestants[(i + round) % contestants.size()];
            HS_ASSIGN_OR_RETURN_CTX(const double spent, contestant.run(1, 1), contestant.series.name);
            if (round >= kWarmUp) contestant.series.single.push_back(spent * kMillis);
        }
        if (Monotonic::now() > deadline) break;
    }
    return absl::OkStatus();
}

absl::Status measureAfterGaps(std::vector<Contestant>& contestants, const Extent& extent) {
    for (unsigned round = 0; round < extent.idle_rounds; ++round) {
        for (Contestant& contestant : contestants) {
            std::this_thread::sleep_for(kIdleGap);  // the idleness is what is measured after
            HS_ASSIGN_OR_RETURN_CTX(const double spent, contestant.run(1, 1), contestant.series.name);
            contestant.series.idle.push_back(spent * kMillis);
        }
    }
    return absl::OkStatus();
}

absl::Status measureMany(std::vector<Contestant>& contestants, const Extent& extent) {
    for (Contestant& contestant : contestants) {
        for (const unsigned parallel : {1U, kParallel}) {
            HS_ASSIGN_OR_RETURN_CTX(const double spent, contestant.run(extent.many, parallel), contestant.series.name);
            double& each = parallel == 1 ? contestant.series.sequence : contestant.series.parallel;
            each = spent * kMillis / extent.many;
        }
    }
    return absl::OkStatus();
}

// What `count` more slivers add to noded, its launcher and their own first processes.
absl::StatusOr<Crowd> measureCrowd(Node& node, unsigned count) {
    const double before = node.memory();
    HS_ASSIGN_OR_RETURN(const double spent, node.holdMany(count));
    const Crowd crowd{.count = count, .seconds = spent, .memory = (node.memory() - before) / count};
    HS_RETURN_IF_ERROR(node.removeAll());
    return crowd;
}

absl::Status measureMemory(std::vector<Contestant>& contestants, Node& cold, Node& warm, Runner& runner) {
    for (Contestant& contestant : contestants) {
        Series& series = contestant.series;
        if (series.name == kCold || series.name == kWarm) {
            HS_ASSIGN_OR_RETURN(const Crowd crowd, measureCrowd(series.name == kCold ? cold : warm, kMemoryCount));
            series.memory = crowd.memory;
        }
    }
    for (size_t peer = 0; peer < runner.peers().size(); ++peer) {
        if (runner.peers()[peer].reference) continue;
        HS_ASSIGN_OR_RETURN(const double bytes, runner.memory(peer, kPeerSlots));
        for (Contestant& contestant : contestants) {
            if (contestant.series.name == runner.peers()[peer].name) contestant.series.memory = bytes;
        }
    }
    return absl::OkStatus();
}

Contestant contestantOf(const std::string& name, Node& node) {
    return {.series = {.name = name, .reference = false, .lacks = "", .single = {}, .idle = {}},
            .run = [&node](unsigned count, unsigned parallel) {
                return count == 1 ? node.runOne() : node.runMany(count, parallel);
            }};
}

Contestant contestantOf(Runner& runner, size_t peer) {
    const Peer& described = runner.peers()[peer];
    return {.series = {.name = described.name,
                       .reference = described.reference,
                       .lacks = described.lacks,
                       .single = {},
                       .idle = {}},
            .run = [&runner, peer](unsigned count, unsigned parallel) { return runner.run(peer, count, parallel); }};
}

// Loudly, since what follows lacks something.
std::vector<std::string> missingPeers(const Runner& runner) {
    std::vector<std::string> missing;
    for (const std::string& name : kPeerNames) {
        const auto& peers = runner.peers();
        if (std::any_of(peers.begin(), peers.end(), [&](const Peer& peer) { return peer.name == name; })) continue;
        std::fprintf(stderr, "bench/runtime: %s IS NOT INSTALLED and will not be measured; see deploy/dependencies\n",
                     name.c_str());
        missing.push_back(name);
    }
    return missing;
}

absl::StatusOr<Results> measure(const Options& options, const std::string& directory) {
    const Extent& extent = options.quick ? kQuick : kFull;
    HS_ASSIGN_OR_RETURN(const Rootfs rootfs, makeRootfs(directory));
    HS_ASSIGN_OR_RETURN(auto peers, preparePeers(directory + "/peers", rootfs));
    HS_ASSIGN_OR_RETURN(const auto runner, Runner::start(std::move(peers), directory + "/peers"));
    NodeConfig config{
        .name = "cold", .number = 1, .pool = 0, .programs = options.programs, .directory = directory + "/cold"};
    HS_ASSIGN_OR_RETURN_CTX(const auto cold, Node::start(config, rootfs), "cold node");
    config = {
        .name = "warm", .number = 2, .pool = kPool, .programs = options.programs, .directory = directory + "/warm"};
    HS_ASSIGN_OR_RETURN_CTX(const auto warm, Node::start(config, rootfs), "warm node");

    std::vector<Contestant> contestants = {contestantOf(kWarm, *warm), contestantOf(kCold, *cold)};
    for (size_t peer = 0; peer < runner->peers().size(); ++peer) contestants.push_back(contestantOf(*runner, peer));
    Results results;
    results.missing = missingPeers(*runner);
    results.many = extent.many;
    HS_RETURN_IF_ERROR_CTX(measureSingles(contestants, extent), "one by one");
    HS_RETURN_IF_ERROR_CTX(measureAfterGaps(contestants, extent), "after a pause");
    HS_RETURN_IF_ERROR_CTX(measureMany(contestants, extent), "many");
    HS_RETURN_IF_ERROR_CTX(measureMemory(contestants, *cold, *warm, *runner), "memory");
    if (extent.crowd != 0) {
        HS_ASSIGN_OR_RETURN_CTX(results.crowd, measureCrowd(*cold, extent.crowd), "crowd");
    }
    for (Contestant& contestant : contestants) results.series.push_back(std::move(contestant.series));
    return results;
}

absl::Status prepareMachine() {
    ::signal(SIGPIPE, SIG_IGN);
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
        return errnoStatus(errno, "mount(MS_PRIVATE)");
    HS_ASSIGN_OR_RETURN(sys::Netlink network, sys::Netlink::open());
    HS_ASSIGN_OR_RETURN(const sys::Link loopback, network.link("lo"));
    return network.setUp(loopback.index);
}

// Of this run, or of one that was killed. In every hierarchy: lxc-execute uses systemd's too.
void removeGroups() {
    const std::string group = "/" + kCgroup;
    shell("find /sys/fs/cgroup" + group + " /sys/fs/cgroup/*" + group + " -depth -type d -exec rmdir {} + 2>/dev/null")
        .IgnoreError();
}

// All contestants' containers are in groups below this one. Like the priority that bench/runtime asks for: what else
// runs on the machine matters less.
absl::Status makeParentGroup() {
    constexpr uint32_t kMostWeight = 10000;
    HS_ASSIGN_OR_RETURN(const auto cgroups, sys::Cgroups::open());
    HS_RETURN_IF_ERROR(cgroups->createGroup(kCgroup, {}));
    return cgroups->setCpuWeight(kCgroup, kMostWeight);
}

absl::Status run(const Options& options) {
    if (::getpid() != 1) return failedPrecondition("start bench/runtime instead: this needs namespaces of its own");
    HS_RETURN_IF_ERROR(prepareMachine());
    std::string directory = "/var/tmp/homeslice-bench-XXXXXX";
    if (::mkdtemp(directory.data()) == nullptr) return errnoStatus(errno, "mkdtemp");
    // The peers' containers look for their root from the inside, as somebody else.
    if (::chmod(directory.c_str(), 0755) != 0) return errnoStatus(errno, "chmod(" + directory + ")");
    removeGroups();
    const Defer clean_up([&directory] {
        removeGroups();
        removeTree(directory).IgnoreError();
    });
    HS_RETURN_IF_ERROR(makeParentGroup());
    HS_ASSIGN_OR_RETURN(Results results, measure(options, directory));
    utsname name{};
    ::uname(&name);
    results.kernel = name.release;
    results.cpus = std::thread::hardware_concurrency();
    std::puts((options.json ? toJson(results) : toTable(results)).c_str());
    return options.plot.empty() ? absl::OkStatus() : plot(results, options.plot);
}

int main(int argc, char** argv) {
    Options options;
    std::string output = "table";
    CLI::App app("Starts of slivers and of other runtimes' containers, measured in turns", "bench/runtime");
    app.add_flag("--quick", options.quick, "less of each, no crowd and no plot; under a minute");
    app.add_option("-o,--output", output, "table or json")->check(CLI::IsMember({"table", "json"}));
    app.add_option("--programs", options.programs, "directory of noded")->required();
    app.add_option("--plot", options.plot, "where a full run draws its picture");
    CLI11_PARSE(app, argc, argv);
    options.json = output == "json";
    if (options.quick) options.plot.clear();
    const absl::Status status = run(options);
    if (!status.ok()) std::fprintf(stderr, "bench/runtime: %s\n", messageOf(status).c_str());
    return status.ok() ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace
}  // namespace homeslice::bench

int main(int argc, char** argv) { return homeslice::bench::main(argc, argv); }
