// What was measured, and how it is shown.
#pragma once

#include <absl/status/status.h>

#include <string>
#include <vector>

namespace homeslice::bench {

inline const std::string kCold = "sliver, cold";
inline const std::string kWarm = "sliver, warm";

// Of one contestant. Milliseconds and bytes; 0: not measured.
struct Series {
    std::string name;
    bool reference = false;
    std::string lacks;
    std::vector<double> single;  // one after the other, in turns with the others
    std::vector<double> idle;    // each after a pause
    double sequence = 0;         // each, of many without a pause
    double parallel = 0;         // each, of many, 8 at a time
    double memory = 0;           // bytes per running container with its supervisor
};

// Many slivers alive on one node; count 0: not measured.
struct Crowd {
    unsigned count = 0;
    double seconds = 0;
    double memory = 0;  // bytes per sliver
};

struct Results {
    std::vector<Series> series;
    std::vector<std::string> missing;  // peers that are not installed
    Crowd crowd;
    unsigned many = 0;  // how many `sequence` and `parallel` are of
    std::string kernel;
    unsigned cpus = 0;
};

std::string toTable(const Results& results);
std::string toJson(const Results& results);
// Draws the medians as SVG with gnuplot.
absl::Status plot(const Results& results, const std::string& path);

}  // namespace homeslice::bench
