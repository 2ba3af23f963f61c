#include "results.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/status.h"
#include "statistics.h"

namespace homeslice::bench {
namespace {

using nlohmann::json;

constexpr double kMillis = 1e3;
constexpr double kMicros = 1e6;
constexpr double kGigabit = 1e9 / 8;

struct Target {
    const char* name;
    double bound;
    bool at_least;
};
constexpr Target kTargets[] = {
    {"home_agent_vs_plain", 0.97, true},           {"route_optimized_vs_plain_direct", 1.0, true},
    {"home_agent_rtt_vs_plain", 1.05, false},      {"route_optimized_rtt_vs_plain_direct", 1.05, false},
    {"million_bindings_cost", 0.05, false},        {"rebinding_lost", 0, false},
    {"million_bindings_spread_cost", 0.05, false}, {"rebinding_first_packet_ms", 2, false},
    {"binding_updates_per_s", 10000, true}};

const Path* find(const Results& results, const std::string& name) {
    const auto found =
        std::find_if(results.paths.begin(), results.paths.end(), [&](const Path& path) { return path.name == name; });
    return found == results.paths.end() ? nullptr : &*found;
}

// Round by round, to the path's reference.
std::vector<double> ratios(const Results& results, const Path& path, std::vector<double> Path::*series) {
    const Path* reference = find(results, path.reference);
    std::vector<double> result;
    if (reference == nullptr) return result;
    const size_t rounds = std::min((path.*series).size(), (reference->*series).size());
    for (size_t i = 0; i < rounds; ++i) result.push_back((path.*series)[i] / (reference->*series)[i]);
    return result;
}

double ratioOf(const Results& results, const std::string& name, std::vector<double> Path::*series) {
    const Path* path = find(results, name);
    return path == nullptr ? 0 : median(ratios(results, *path, series));
}

json measuresOf(const Results& results) {
    json measures = {{"home_agent_vs_plain", ratioOf(results, kHomeAgentPath, &Path::throughput)},
                     {"route_optimized_vs_plain_direct", ratioOf(results, kOptimizedPath, &Path::throughput)},
                     {"home_agent_rtt_vs_plain", ratioOf(results, kHomeAgentPath, &Path::round_trip)},
                     {"route_optimized_rtt_vs_plain_direct", ratioOf(results, kOptimizedPath, &Path::round_trip)},
                     {"srv6_vs_plain", ratioOf(results, "SRv6", &Path::throughput)},
                     {"vxlan_vs_plain", ratioOf(results, "VXLAN", &Path::throughput)},
                     {"bare_nodes_vs_plain_direct", ratioOf(results, kBarePath, &Path::throughput)},
                     {"bare_nodes_rtt_vs_plain_direct", ratioOf(results, kBarePath, &Path::round_trip)},
                     {"million_bindings_cost", 1 - ratioOf(results, kFullPath, &Path::throughput)},
                     {"million_bindings_spread_cost", 1 - median(results.spread)},
                     {"rebinding_lost", results.rebinding_lost},
                     {"rebinding_first_packet_ms", median(results.first_packet) * kMillis},
                     {"binding_updates_per_s", results.registrations},
                     {"binding_refreshes_per_s", results.refreshes}};
    if (!results.routes_spread.empty()) measures["million_routes_spread_cost"] = 1 - median(results.routes_spread);
    return measures;
}

json samplesOf(const Results& results, const Path& path) {
    const auto gigabits = [](double bytes) { return bytes / kGigabit; };
    return {{"rounds", path.throughput.size()},
            {"throughput_gbit_s", gigabits(median(path.throughput))},
            {"throughput_p10_gbit_s", gigabits(quantile(path.throughput, 0.1))},
            {"throughput_p90_gbit_s", gigabits(quantile(path.throughput, 0.9))},
            {"round_trip_us", median(path.round_trip) * kMicros},
            {"round_trip_p90_us", quantile(path.round_trip, 0.9) * kMicros},
            {"throughput_ratios", ratios(results, path, &Path::throughput)},
            {"round_trip_ratios", ratios(results, path, &Path::round_trip)}};
}

std::string targetLine(const json& measures, const Target& target) {
    const auto number = measures[target.name].get<double>();
    const char* relation = target.at_least ? "at least" : "at most";
    const bool met = target.at_least ? number >= target.bound : number <= target.bound;
    return fmt::format("{:<36} {:>10.3f} ({} {:g}{})\n", target.name, number, relation, target.bound,
                       met ? "" : ", MISSED");
}

std::string cell(const std::vector<double>& values) {
    return values.empty() ? "" : fmt::format("{:.3f}", median(values));
}

}  // namespace

std::string toTable(const Results& results) {
    std::string text = fmt::format(
        "{} processors, kernel {}; one TCP connection, UDP round trips of 64 bytes, both with all on one processor\n\n",
        results.cpus, results.kernel);
    text += fmt::format("{:<18} {:>8} {:>10} {:>9} {:>10}  compared with\n", "", "Gbit/s", "ratio", "RTT us", "ratio");
    for (const Path& path : results.paths) {
        text +=
            fmt::format("{:<18} {:>8.2f} {:>10} {:>9.1f} {:>10}  {}\n", path.name, median(path.throughput) / kGigabit,
                        cell(ratios(results, path, &Path::throughput)), median(path.round_trip) * kMicros,
                        cell(ratios(results, path, &Path::round_trip)), path.reference);
    }
    text += fmt::format(
        "\nre-binding: {} datagrams at 10 kHz over {} moves, {} lost; first packet after {:.3f} ms (p90 {:.3f})\n\n",
        results.rebinding_sent, results.first_packet.size(), results.rebinding_lost,
        median(results.first_packet) * kMillis, quantile(results.first_packet, 0.9) * kMillis);
    if (!results.routes_spread.empty())
        text += fmt::format(
            "datagrams to {} addresses at random instead of one: {:.3f} fewer by the home agent, {:.3f} fewer by a "
            "plain router with a route for each\n\n",
            results.bindings, 1 - median(results.spread), 1 - median(results.routes_spread));
    const json measures = measuresOf(results);
    for (const Target& target : kTargets) text += targetLine(measures, target);
    return text;
}

std::string toJson(const Results& results) {
    json object = {{"ratios", measuresOf(results)},
                   {"targets", json::object()},
                   {"samples", json::object()},
                   {"bindings", results.bindings},
                   {"rebinding_sent", results.rebinding_sent},
                   {"kernel", results.kernel},
                   {"processors", results.cpus}};
    for (const Target& target : kTargets) object["targets"][target.name] = target.bound;
    for (const Path& path : results.paths) object["samples"][path.name] = samplesOf(results, path);
    return object.dump(2);
}

absl::Status plot(const Results& results, const std::string& path) {
    std::FILE* gnuplot = ::popen("gnuplot", "w");
    if (gnuplot == nullptr) return internalError("cannot run gnuplot");
    std::string names;
    std::string rows;
    unsigned count = 0;
    for (const Path& each : results.paths) {
        const std::vector<double> values = ratios(results, each, &Path::throughput);
        if (values.empty() || each.name == kFullPath) continue;
        names += fmt::format("{}'{}' {}", count == 0 ? "" : ", ", each.name, count);
        const bool ours = each.name == kHomeAgentPath || each.name == kOptimizedPath;
        rows += fmt::format("{} {} {} {} {}\n", count, median(values), quantile(values, 0.1), quantile(values, 0.9),
                            ours ? 0x2a7fb8 : 0xd08a3c);
        ++count;
    }
    const std::string script = fmt::format(
        "set terminal svg size 820,320 font 'sans-serif,13' background '#ffffff'\nset output '{}'\n"
        "set title 'Throughput as a share of a plain path with the same hops: median, and 10th to 90th percentile'\n"
        "set grid x\nset yrange [-0.7:{}.7] reverse\nset xrange [0:*]\nunset key\nset style fill solid 0.85 noborder\n"
        "set arrow from 1,graph 0 to 1,graph 1 nohead lc rgb '#777777' dt 2\nset ytics nomirror ({})\n$data << "
        "end\n{}end\n"
        "plot $data using 2:1:(0):2:($1-0.35):($1+0.35):5 with boxxyerror lc rgb variable, "
        "$data using 2:1:3:4 with xerrorbars lc rgb '#333333' pt 0, "
        "$data using 4:1:(sprintf('  %.3f', $2)) with labels left\n",
        path, count - 1, names, rows);
    std::fputs(script.c_str(), gnuplot);
    return ::pclose(gnuplot) == 0 ? absl::OkStatus() : internalError("gnuplot failed");
}

}  // namespace homeslice::bench
