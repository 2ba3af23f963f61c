// bench/control: what the controller can do, against nodes that are simulated but for their connections. To be started
// by bench/control, as PID 1 of a pid namespace, with a network namespace of its own.
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <thread>

#include "base/defer.h"
#include "base/file.h"
#include "base/status.h"
#include "controller_process.h"
#include "fleet.h"
#include "load.h"
#include "results.h"
#include "rpc/lock_checks.h"
#include "shell.h"

namespace homeslice::bench {
namespace {

using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

// How much is measured.
struct Extent {
    std::vector<uint64_t> steps;  // numbers of nodes
    uint64_t step_slivers = 0;    // placed at each step
    uint64_t slivers = 0;         // in all
    uint32_t slice_size = 0;
    unsigned watches = 0;
    seconds idle{};
    seconds patience{};
};
const Extent kFull{.steps = {100, 1000, 2500, 5000, 7500, 10'000},
                   .step_slivers = 20'000,
                   .slivers = 1'000'000,
                   .slice_size = 1000,
                   .watches = 500,
                   .idle = seconds(10),
                   .patience = seconds(900)};
const Extent kQuick{.steps = {20, 40, 60},
                    .step_slivers = 4000,
                    .slivers = 20'000,
                    .slice_size = 500,
                    .watches = 100,
                    .idle = seconds(1),
                    .patience = seconds(60)};

struct Options {
    bool quick = false;
    bool json = false;
    std::string programs;
    std::string plot;
    std::vector<std::string> stores = {"sqlite", "etcd"};
    uint64_t nodes = 0;
    uint64_t slivers = 0;
};

double secondsSince(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

void say(const std::string& text) { std::fprintf(stderr, "bench/control: %s\n", text.c_str()); }

absl::StatusOr<Point> measureStep(ControllerProcess& controller, Fleet& fleet, Load& load, uint64_t nodes,
                                  const Extent& extent) {
    Point point;
    point.nodes = nodes;
    const auto added = static_cast<double>(nodes - fleet.size());
    const double memory = controller.process().memory();
    double cpu = controller.process().cpuSeconds();
    auto begin = Clock::now();
    HS_RETURN_IF_ERROR(fleet.growTo(nodes, extent.patience));
    point.join_ms = 1000 * secondsSince(begin) / added;
    std::this_thread::sleep_for(extent.idle);  // what each node hears of the new ones is part of the price
    point.join_cpu_ms = 1000 * (controller.process().cpuSeconds() - cpu) / added;
    point.memory_kb = (controller.process().memory() - memory) / added / 1000;

    cpu = controller.process().cpuSeconds();
    begin = Clock::now();
    const uint64_t beats = fleet.heartbeats();
    std::this_thread::sleep_for(extent.idle);
    point.idle_cpu = (controller.process().cpuSeconds() - cpu) / secondsSince(begin);
    point.heartbeats_per_s = static_cast<double>(fleet.heartbeats() - beats) / secondsSince(begin);

    HS_ASSIGN_OR_RETURN(const Load::Rates rates, load.create(extent.step_slivers, extent.slice_size, extent.patience));
    point.placements_per_s = rates.placements_per_s;
    point.running_per_s = rates.running_per_s;
    return point;
}

absl::StatusOr<Restart> measureRestart(ControllerProcess& controller, Fleet& fleet, Load& load, const Extent& extent) {
    Restart restart;
    const auto begin = Clock::now();
    controller.kill();
    HS_RETURN_IF_ERROR(controller.restart());
    restart.serves_s = secondsSince(begin);
    HS_RETURN_IF_ERROR(fleet.awaitReady(extent.patience));
    restart.connected_s = secondsSince(begin);
    Load after(controller.client(), fleet, load.slivers());
    HS_RETURN_IF_ERROR(after.awaitConverged(extent.patience));
    restart.converged_s = secondsSince(begin);
    return restart;
}

absl::StatusOr<StoreResults> measureStore(const std::string& store, const Options& options, const Extent& extent,
                                          const std::string& directory) {
    StoreResults results;
    results.store = store;
    HS_ASSIGN_OR_RETURN(const auto controller,
                        ControllerProcess::start({.programs = options.programs,
                                                  .directory = directory,
                                                  .store = store == "etcd" ? StoreKind::etcd : StoreKind::sqlite,
                                                  .nodes = extent.steps.back()}));
    Fleet fleet(controller->authority());
    Load load(controller->client(), fleet);
    for (const uint64_t nodes : extent.steps) {
        HS_ASSIGN_OR_RETURN_CTX(const Point point, measureStep(*controller, fleet, load, nodes, extent),
                                std::to_string(nodes) + " nodes");
        say(store + ": " + std::to_string(nodes) + " nodes, " + std::to_string(load.slivers()) + " slivers, " +
            std::to_string(static_cast<uint64_t>(point.placements_per_s)) + " placements/s");
        results.curve.push_back(point);
    }
    const double memory = controller->process().memory();
    const uint64_t before = load.slivers();
    HS_ASSIGN_OR_RETURN_CTX(const Load::Rates rates,
                            load.create(extent.slivers - before, extent.slice_size, extent.patience), "all slivers");
    results.placements_per_s = rates.placements_per_s;
    results.running_per_s = rates.running_per_s;
    results.slivers = load.slivers();
    std::this_thread::sleep_for(extent.idle);  // what waits for streams that are being written is no sliver's
    results.memory = controller->process().memory();
    results.memory_per_sliver = (results.memory - memory) / static_cast<double>(load.slivers() - before);
    say(store + ": " + std::to_string(load.slivers()) + " slivers, " +
        std::to_string(static_cast<uint64_t>(rates.placements_per_s)) + " placements/s");
    for (unsigned i = 0; i < extent.watches; ++i) {
        HS_ASSIGN_OR_RETURN_CTX(const double milliseconds, load.watchOne(), "watch");
        results.watch_ms.push_back(milliseconds);
    }
    HS_ASSIGN_OR_RETURN_CTX(results.restart, measureRestart(*controller, fleet, load, extent), "restart");
    return results;
}

absl::Status prepareMachine() {
    ::signal(SIGPIPE, SIG_IGN);
    HS_RETURN_IF_ERROR(shell("ip link set lo up"));
    // A connection a node, at both ends.
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return errnoStatus(errno, "getrlimit(NOFILE)");
    files.rlim_cur = files.rlim_max;
    return ::setrlimit(RLIMIT_NOFILE, &files) == 0 ? absl::OkStatus() : errnoStatus(errno, "setrlimit(NOFILE)");
}

absl::StatusOr<Extent> extentOf(const Options& options) {
    Extent extent = options.quick ? kQuick : kFull;
    if (options.slivers != 0) extent.slivers = options.slivers;
    if (options.nodes != 0) {
        std::erase_if(extent.steps, [&options](uint64_t nodes) { return nodes >= options.nodes; });
        extent.steps.push_back(options.nodes);
    }
    const uint64_t least = extent.steps.size() * extent.step_slivers;
    if (extent.slivers > least) return extent;
    return invalidArgument("--slivers: more than " + std::to_string(least) + ", which the steps place");
}

absl::Status run(const Options& options) {
    if (::getpid() != 1) return failedPrecondition("start bench/control instead: this needs namespaces of its own");
    HS_ASSIGN_OR_RETURN(const Extent extent, extentOf(options));
    HS_RETURN_IF_ERROR(prepareMachine());
    std::string directory = "/var/tmp/homeslice-bench-XXXXXX";
    if (::mkdtemp(directory.data()) == nullptr) return errnoStatus(errno, "mkdtemp");
    const Defer clean_up([&directory] { removeTree(directory).IgnoreError(); });
    Results results;
    for (const std::string& store : options.stores) {
        HS_ASSIGN_OR_RETURN_CTX(StoreResults measured, measureStore(store, options, extent, directory + "/" + store),
                                store);
        say(toTable(measured));
        results.stores.push_back(std::move(measured));
    }
    utsname name{};
    ::uname(&name);
    results.kernel = name.release;
    results.cpus = std::thread::hardware_concurrency();
    results.quick = options.quick;
    results.slice_size = extent.slice_size;
    std::puts((options.json ? toJson(results) : toTable(results)).c_str());
    return options.plot.empty() ? absl::OkStatus() : plot(results, options.plot);
}

int main(int argc, char** argv) {
    Options options;
    std::string output = "table";
    CLI::App app("The controller with many nodes and slivers", "bench/control");
    app.add_flag("--quick", options.quick, "few nodes and slivers, and no plot; under a minute");
    app.add_option("-o,--output", output, "table or json")->check(CLI::IsMember({"table", "json"}));
    app.add_option("--store", options.stores, "sqlite, etcd; default: both, one after the other")
        ->check(CLI::IsMember({"sqlite", "etcd"}));
    app.add_option("--nodes", options.nodes, "instead of 10000");
    app.add_option("--slivers", options.slivers, "instead of 1000000");
    app.add_option("--programs", options.programs, "directory of sliced")->required();
    app.add_option("--plot", options.plot, "where a full run draws its picture");
    CLI11_PARSE(app, argc, argv);
    rpc::endLockChecks();
    options.json = output == "json";
    if (options.quick) options.plot.clear();
    const absl::Status status = run(options);
    if (!status.ok()) std::fprintf(stderr, "bench/control: %s\n", messageOf(status).c_str());
    return status.ok() ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace
}  // namespace homeslice::bench

int main(int argc, char** argv) { return homeslice::bench::main(argc, argv); }
