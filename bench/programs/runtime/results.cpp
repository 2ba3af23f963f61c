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

constexpr double kMegabyte = 1e6;
constexpr double kColdTarget = 0.40;
constexpr double kWarmTarget = 0.15;
constexpr double kOverheadTarget = 0.5;

const Series* find(const Results& results, const std::string& name) {
    const auto found = std::find_if(results.series.begin(), results.series.end(),
                                    [&](const Series& series) { return series.name == name; });
    return found == results.series.end() ? nullptr : &*found;
}

// Of the medians; null when one of them was not measured.
json ratio(const Results& results, const std::string& ours, const std::string& theirs) {
    const Series* above = find(results, ours);
    const Series* below = find(results, theirs);
    if (above == nullptr || below == nullptr || below->single.empty() || above->single.empty()) return nullptr;
    return median(above->single) / median(below->single);
}

json overhead(const Results& results) {
    const Series* cold = find(results, kCold);
    return cold == nullptr || cold->memory == 0 ? json(nullptr) : json(cold->memory / kMegabyte);
}

json ratiosOf(const Results& results) {
    json ratios;
    for (const std::string peer : {"crun", "runc", "lxc-execute", "bubblewrap"}) {
        const std::string key = peer == "lxc-execute" ? "lxc" : peer;
        ratios["cold_vs_" + key] = ratio(results, kCold, peer);
        ratios["warm_vs_" + key] = ratio(results, kWarm, peer);
    }
    ratios["sliver_overhead_mb"] = overhead(results);
    return ratios;
}

json samplesOf(const Series& series) {
    return {{"lacks", series.lacks},
            {"runs", series.single.size()},
            {"median_ms", median(series.single)},
            {"p10_ms", quantile(series.single, 0.1)},
            {"p90_ms", quantile(series.single, 0.9)},
            {"idle_gap_median_ms", median(series.idle)},
            {"sequence_each_ms", series.sequence},
            {"parallel_each_ms", series.parallel},
            {"memory_mb", series.memory / kMegabyte}};
}

std::string cell(double value) { return value == 0 ? "" : fmt::format("{:.2f}", value); }

std::string ratioLine(const json& ratios, const char* key, double target) {
    if (ratios[key].is_null()) return fmt::format("{:<20} not measured (target {:.2f})\n", key, target);
    const auto value = ratios[key].get<double>();
    return fmt::format("{:<20} {:.3f} (target {:.2f}{})\n", key, value, target, value <= target ? "" : ", MISSED");
}

}  // namespace

std::string toTable(const Results& results) {
    std::string text = fmt::format("{} processors, kernel {}; create, start, exit of /bin/true; milliseconds\n\n",
                                   results.cpus, results.kernel);
    text += fmt::format("{:<17} {:>8} {:>8} {:>8} {:>9} {:>9} {:>9} {:>8}  {}\n", "", "median", "p10", "p90",
                        "after gap", "sequence", "8 at once", "MB each", "lacks");
    for (const Series& series : results.series) {
        text += fmt::format("{:<17} {:>8} {:>8} {:>8} {:>9} {:>9} {:>9} {:>8}  {}\n", series.name,
                            cell(median(series.single)), cell(quantile(series.single, 0.1)),
                            cell(quantile(series.single, 0.9)), cell(median(series.idle)), cell(series.sequence),
                            cell(series.parallel), cell(series.memory / kMegabyte), series.lacks);
    }
    if (results.crowd.count != 0) {
        text += fmt::format("\n{} slivers alive on one node: started in {:.1f} s, {:.3f} MB each\n",
                            results.crowd.count, results.crowd.seconds, results.crowd.memory / kMegabyte);
    }
    const json ratios = ratiosOf(results);
    text += "\n" + ratioLine(ratios, "cold_vs_crun", kColdTarget) + ratioLine(ratios, "warm_vs_crun", kWarmTarget) +
            ratioLine(ratios, "sliver_overhead_mb", kOverheadTarget);
    for (const std::string& name : results.missing) text += "NOT MEASURED: " + name + " is not installed\n";
    return text;
}

std::string toJson(const Results& results) {
    json object = {
        {"ratios", ratiosOf(results)},
        {"targets",
         {{"cold_vs_crun", kColdTarget}, {"warm_vs_crun", kWarmTarget}, {"sliver_overhead_mb", kOverheadTarget}}},
        {"samples", json::object()},
        {"missing", results.missing},
        {"sequence_of", results.many},
        {"kernel", results.kernel},
        {"processors", results.cpus}};
    for (const Series& series : results.series) object["samples"][series.name] = samplesOf(series);
    if (results.crowd.count != 0) {
        object["crowd"] = {{"slivers", results.crowd.count},
                           {"seconds", results.crowd.seconds},
                           {"memory_mb_each", results.crowd.memory / kMegabyte}};
    }
    return object.dump(2);
}

absl::Status plot(const Results& results, const std::string& path) {
    std::FILE* gnuplot = ::popen("gnuplot", "w");
    if (gnuplot == nullptr) return internalError("cannot run gnuplot");
    std::string script = fmt::format(
        "set terminal svg size 820,420 font 'sans-serif,13' background '#ffffff'\nset output '{}'\n"
        "set title 'Create, start and exit of /bin/true: median, and 10th to 90th percentile'\n"
        "set xlabel 'milliseconds'\nset logscale x\nset grid x\nset yrange [-0.7:{}.7] reverse\n"
        "set xrange [0.5:*]\nunset key\nset ytics nomirror\nset style fill solid 0.85 noborder\nset ytics (",
        path, results.series.size() - 1);
    std::string rows;
    for (size_t i = 0; i < results.series.size(); ++i) {
        const Series& series = results.series[i];
        script += fmt::format("{}'{}' {}", i == 0 ? "" : ", ", series.name, i);
        const int color = series.reference ? 0xaaaaaa : series.name.starts_with("sliver") ? 0x2a7fb8 : 0xd08a3c;
        rows += fmt::format("{} {} {} {} {}\n", i, median(series.single), quantile(series.single, 0.1),
                            quantile(series.single, 0.9), color);
    }
    script += ")\n$data << end\n" + rows +
              "end\nplot $data using 2:1:(0.5):2:($1-0.35):($1+0.35):5 with boxxyerror lc rgb variable, "
              "$data using 2:1:3:4 with xerrorbars lc rgb '#333333' pt 0, "
              "$data using 4:1:(sprintf('  %.2f', $2)) with labels left\n";
    std::fputs(script.c_str(), gnuplot);
    return ::pclose(gnuplot) == 0 ? absl::OkStatus() : internalError("gnuplot failed");
}

}  // namespace homeslice::bench
