#include "results.h"

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/status.h"
#include "statistics.h"

namespace homeslice::bench {
namespace {

using nlohmann::json;

constexpr double kPeer = 3750;  // Nomad's C1M: a million containers in less than five minutes
constexpr double kTarget = 10'000;
constexpr double kMegabyte = 1e6;

std::string suffixOf(const StoreResults& store) { return store.store == "sqlite" ? "" : "_" + store.store; }

json ratiosOf(const Results& results) {
    json ratios = json::object();
    for (const StoreResults& store : results.stores) {
        ratios["placements_per_s_vs_3750" + suffixOf(store)] = store.placements_per_s / kPeer;
        ratios["running_per_s_vs_3750" + suffixOf(store)] = store.running_per_s / kPeer;
    }
    return ratios;
}

json targetsOf(const Results& results) {
    json targets = json::object();
    for (const StoreResults& store : results.stores) {
        targets["placements_per_s_vs_3750" + suffixOf(store)] = kTarget / kPeer;
    }
    return targets;
}

json samplesOf(const StoreResults& store) {
    json curve = json::array();
    for (const Point& point : store.curve) {
        curve.push_back({{"nodes", point.nodes},
                         {"join_cpu_ms_each", point.join_cpu_ms},
                         {"join_ms_each", point.join_ms},
                         {"memory_kb_each", point.memory_kb},
                         {"idle_processors", point.idle_cpu},
                         {"heartbeats_per_s", point.heartbeats_per_s},
                         {"placements_per_s", point.placements_per_s},
                         {"running_per_s", point.running_per_s}});
    }
    return {{"nodes", store.curve.empty() ? 0 : store.curve.back().nodes},
            {"slivers", store.slivers},
            {"placements_per_s", store.placements_per_s},
            {"running_per_s", store.running_per_s},
            {"memory_per_sliver_bytes", store.memory_per_sliver},
            {"memory_mb", store.memory / kMegabyte},
            {"watch_latency_p50_ms", median(store.watch_ms)},
            {"watch_latency_p99_ms", quantile(store.watch_ms, 0.99)},
            {"watches", store.watch_ms.size()},
            {"restart_serves_s", store.restart.serves_s},
            {"restart_connected_s", store.restart.connected_s},
            {"restart_converged_s", store.restart.converged_s},
            {"curve", curve}};
}

std::string row(const Point& point) {
    return fmt::format("{:>7} {:>11.2f} {:>10.1f} {:>10.2f} {:>10.0f} {:>13.0f} {:>11.0f}\n", point.nodes,
                       point.join_cpu_ms, point.memory_kb, point.idle_cpu, point.heartbeats_per_s,
                       point.placements_per_s, point.running_per_s);
}

}  // namespace

std::string toTable(const StoreResults& store) {
    std::string text = fmt::format("{}\n{:>7} {:>11} {:>10} {:>10} {:>10} {:>13} {:>11}\n", store.store, "nodes",
                                   "join CPU ms", "KB a node", "idle CPUs", "beats/s", "placements/s", "running/s");
    for (const Point& point : store.curve) text += row(point);
    text += fmt::format(
        "{} slivers: {:.0f} placed and stored a second ({:.2f} of 3750, target {:.2f}{}), {:.0f} running a "
        "second\n",
        store.slivers, store.placements_per_s, store.placements_per_s / kPeer, kTarget / kPeer,
        store.placements_per_s >= kTarget ? "" : ", MISSED", store.running_per_s);
    text += fmt::format("memory: {:.0f} bytes a sliver, {:.0f} MB in all\n", store.memory_per_sliver,
                        store.memory / kMegabyte);
    text += fmt::format("watch: {:.2f} ms median, {:.2f} ms p99 of {}\n", median(store.watch_ms),
                        quantile(store.watch_ms, 0.99), store.watch_ms.size());
    text += fmt::format("after a kill: serves in {:.2f} s, all nodes connected in {:.1f} s, converged in {:.1f} s\n",
                        store.restart.serves_s, store.restart.connected_s, store.restart.converged_s);
    return text;
}

std::string toTable(const Results& results) {
    std::string text =
        fmt::format("{} processors for sliced, its store and all nodes, kernel {}; slices of {} slivers{}\n",
                    results.cpus, results.kernel, results.slice_size, results.quick ? "; --quick" : "");
    for (const StoreResults& store : results.stores) text += "\n" + toTable(store);
    return text;
}

std::string toJson(const Results& results) {
    json object = {{"ratios", ratiosOf(results)}, {"targets", targetsOf(results)},    {"samples", json::object()},
                   {"quick", results.quick},      {"slice_size", results.slice_size}, {"kernel", results.kernel},
                   {"processors", results.cpus}};
    for (const StoreResults& store : results.stores) object["samples"][store.store] = samplesOf(store);
    return object.dump(2);
}

absl::Status plot(const Results& results, const std::string& path) {
    std::FILE* gnuplot = ::popen("gnuplot", "w");
    if (gnuplot == nullptr) return internalError("cannot run gnuplot");
    std::string script = fmt::format(
        "set terminal svg size 980,400 font 'sans-serif,13' background '#ffffff'\nset output '{}'\n"
        "set multiplot layout 1,2\nset grid\nset xlabel 'nodes'\nset xtics 2000\nset yrange [0:*]\nset key outside "
        "bottom center horizontal\n",
        path);
    for (const StoreResults& store : results.stores) {
        script += "$" + store.store + " << end\n";
        for (const Point& point : store.curve) {
            script += fmt::format("{} {} {}\n", point.nodes, point.placements_per_s, point.join_cpu_ms);
        }
        script += "end\n";
    }
    const auto lines = [&results](int column) {
        std::string text;
        int color = 0;
        for (const StoreResults& store : results.stores) {
            text += fmt::format("{}${} using 1:{} with linespoints lw 2 pt 7 ps 0.6 lc rgb '{}' title '{}'",
                                text.empty() ? "" : ", ", store.store, column, ++color == 1 ? "#2a7fb8" : "#d08a3c",
                                store.store);
        }
        return text;
    };
    script += "set title 'Slivers placed and stored a second, 20,000 at each step'\nplot " + lines(2) +
              ", 10000 with lines dt 2 lc rgb '#777777' title 'target', 3750 with lines dt 3 lc rgb '#777777' title "
              "'Nomad C1M'\n";
    script +=
        "set title 'Processor time of sliced for each node that joins, ms'\nplot " + lines(3) + "\nunset multiplot\n";
    std::fputs(script.c_str(), gnuplot);
    return ::pclose(gnuplot) == 0 ? absl::OkStatus() : internalError("gnuplot failed");
}

}  // namespace homeslice::bench
