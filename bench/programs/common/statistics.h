// What a series of measurements says. Header only.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace homeslice::bench {

// The value below which the fraction `p` (0 to 1) of `values` lies; 0 for none.
inline double quantile(std::vector<double> values, double p) {
    if (values.empty()) return 0;
    const auto rank = static_cast<size_t>(p * static_cast<double>(values.size() - 1) + 0.5);
    std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(rank), values.end());
    return values[rank];
}

inline double median(const std::vector<double>& values) { return quantile(values, 0.5); }

}  // namespace homeslice::bench
