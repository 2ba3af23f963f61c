#include "memory.h"

#include <filesystem>
#include <sstream>

#include "base/file.h"

namespace homeslice::bench {

double pssOf(pid_t pid) {
    constexpr double kKilobyte = 1024;
    std::istringstream words(readFile("/proc/" + std::to_string(pid) + "/smaps_rollup").value_or(""));
    for (std::string word; words >> word;) {
        double value = 0;
        if (word == "Pss:" && words >> value) return value * kKilobyte;
    }
    return 0;
}

std::string nameOf(pid_t pid) {
    std::string name = readFile("/proc/" + std::to_string(pid) + "/comm").value_or("");
    if (!name.empty() && name.back() == '\n') name.pop_back();
    return name;
}

std::vector<pid_t> childrenOf(pid_t pid) {
    std::vector<pid_t> children;
    std::error_code error;
    // Each thread's: Go programs start processes from any of theirs.
    for (std::filesystem::directory_iterator task("/proc/" + std::to_string(pid) + "/task", error), end;
         !error && task != end; task.increment(error)) {
        std::istringstream list(readFile(task->path().string() + "/children").value_or(""));
        for (pid_t child = 0; list >> child;) children.push_back(child);
    }
    return children;
}

std::vector<pid_t> treeOf(pid_t root) {
    std::vector<pid_t> tree = {root};
    for (size_t i = 0; i < tree.size(); ++i) {
        const std::vector<pid_t> children = childrenOf(tree[i]);
        tree.insert(tree.end(), children.begin(), children.end());
    }
    return tree;
}

}  // namespace homeslice::bench
