// bench/forwarding: what the way through a home agent, or straight to a node, costs against plain routing with the same
// hops, SRv6 and VXLAN, in one run. To be started by bench/forwarding, with a mount namespace of its own.
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/utsname.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <thread>

#include "base/file.h"
#include "base/log.h"
#include "base/status.h"
#include "contest.h"
#include "rebinding.h"
#include "updates.h"

namespace homeslice::bench {
namespace {

using std::chrono::milliseconds;

constexpr Extent kFull{.rounds = 150,
                       .round_trips = 500,
                       .bindings = 999'999,  // and the sliver's
                       .spread_rounds = 100,
                       .routes = true,
                       .moves = 50,
                       .updates = 100'000,
                       .duration = milliseconds(60)};
constexpr Extent kQuick{.rounds = 20,
                        .round_trips = 300,
                        .bindings = 999'999,
                        .spread_rounds = 15,
                        .routes = false,
                        .moves = 10,
                        .updates = 20'000,
                        .duration = milliseconds(60)};

struct Options {
    bool quick = false;
    bool json = false;
    std::string plot;
};

// For the pinned maps; only this process sees it.
absl::StatusOr<std::string> mountBpfFs() {
    std::string path = "/run/homeslice-bench-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) return errnoStatus(errno, "make " + path);
    if (::mount("bpf", path.c_str(), "bpf", 0, nullptr) != 0) return errnoStatus(errno, "mount bpffs");
    return path;
}

absl::Status measure(const std::string& pins, const Extent& extent, Results& results) {
    HS_ASSIGN_OR_RETURN(const std::unique_ptr<Network> network, Network::make(pins));
    HS_RETURN_IF_ERROR(compete(*network, extent, results));
    HS_ASSIGN_OR_RETURN(const UpdateRates rates, acceptedUpdates(*network, extent.updates));
    results.registrations = rates.registrations;
    results.refreshes = rates.refreshes;
    HS_ASSIGN_OR_RETURN(Rebinding rebinding, rebind(*network, extent.moves));
    results.rebinding_sent = rebinding.sent;
    results.rebinding_lost = rebinding.lost;
    results.first_packet = std::move(rebinding.first_packet);
    return absl::OkStatus();
}

absl::Status run(const Options& options) {
    Results results;
    utsname kernel{};
    ::uname(&kernel);
    results.kernel = kernel.release;
    results.cpus = std::thread::hardware_concurrency();
    HS_ASSIGN_OR_RETURN(const std::string pins, mountBpfFs());
    const absl::Status measured = measure(pins, options.quick ? kQuick : kFull, results);
    ::umount2(pins.c_str(), MNT_DETACH);
    HS_RETURN_IF_ERROR(removeTree(pins));
    HS_RETURN_IF_ERROR(measured);
    std::puts((options.json ? toJson(results) : toTable(results)).c_str());
    return options.quick || options.plot.empty() ? absl::OkStatus() : plot(results, options.plot);
}

}  // namespace
}  // namespace homeslice::bench

int main(int argc, char** argv) {
    homeslice::bench::Options options;
    std::string format = "table";
    CLI::App app("Measures the data plane against plain routing, SRv6 and VXLAN");
    app.add_flag("--quick", options.quick, "Less than a minute");
    app.add_option("-o", format)->check(CLI::IsMember({"table", "json"}));
    app.add_option("--plot", options.plot, "SVG to draw after a full run");
    CLI11_PARSE(app, argc, argv);
    options.json = format == "json";
    homeslice::initLog("bench-forwarding", homeslice::LogLevel::warning);
    if (const absl::Status status = homeslice::bench::run(options); !status.ok()) {
        std::fprintf(stderr, "bench-forwarding: %s\n", homeslice::messageOf(status).c_str());
        return 1;
    }
    return 0;
}
