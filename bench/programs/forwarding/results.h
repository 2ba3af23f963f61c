// What was measured, and how it is shown.
#pragma once

#include <absl/status/status.h>

#include <string>
#include <vector>

namespace homeslice::bench {

// Of one path. A round's entry stands at the same place in each path's list; what is compared is of one round.
struct Path {
    std::string name;
    std::string reference;           // name of the plain path with the same hops; empty: it is one
    std::vector<double> throughput;  // bytes a second
    std::vector<double> round_trip;  // seconds, the median of a round
};

struct Results {
    std::vector<Path> paths;
    unsigned bindings = 0;
    // By round: rate of packets for all bindings to that for one, of what it is without them. The same of a plain
    // router's routes.
    std::vector<double> spread;
    std::vector<double> routes_spread;
    uint64_t rebinding_sent = 0;
    uint64_t rebinding_lost = 0;
    std::vector<double> first_packet;  // seconds
    double registrations = 0;          // a second
    double refreshes = 0;              // a second
    std::string kernel;
    unsigned cpus = 0;
};

inline const std::string kHomeAgentPath = "home agent";
inline const std::string kFullPath = "home agent, full";
inline const std::string kBarePath = "plain, bare nodes";
inline const std::string kOptimizedPath = "route-optimized";

std::string toTable(const Results& results);
std::string toJson(const Results& results);
// Draws the ratios of throughput as SVG with gnuplot.
absl::Status plot(const Results& results, const std::string& path);

}  // namespace homeslice::bench
