// What was measured, and how it is shown.
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <string>
#include <vector>

namespace homeslice::bench {

// With so many nodes connected.
struct Point {
    uint64_t nodes = 0;
    double join_cpu_ms = 0;  // of sliced's, for each node that was added since the point before
    double join_ms = 0;      // wall
    double memory_kb = 0;    // of sliced's, for each node that was added since then
    double idle_cpu = 0;     // processors that heartbeats keep busy
    double heartbeats_per_s = 0;
    double placements_per_s = 0;  // slivers that are placed and stored
    double running_per_s = 0;     // until their nodes run them
};

struct Restart {
    double serves_s = 0;     // from the kill until it answers
    double connected_s = 0;  // until every node has said how it is
    double converged_s = 0;  // until it says that every sliver runs
};

struct StoreResults {
    std::string store;
    std::vector<Point> curve;
    uint64_t slivers = 0;
    double placements_per_s = 0;  // of all those slivers, with all nodes
    double running_per_s = 0;
    double memory_per_sliver = 0;  // bytes of sliced's
    double memory = 0;             // bytes of sliced's, with all of it
    std::vector<double> watch_ms;
    Restart restart;
};

struct Results {
    std::vector<StoreResults> stores;
    bool quick = false;
    uint64_t slice_size = 0;
    std::string kernel;
    unsigned cpus = 0;
};

std::string toTable(const StoreResults& store);
std::string toTable(const Results& results);
std::string toJson(const Results& results);
// Draws the curves as SVG with gnuplot.
absl::Status plot(const Results& results, const std::string& path);

}  // namespace homeslice::bench
