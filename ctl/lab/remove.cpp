#include "ctl/lab/remove.h"

#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <system_error>
#include <thread>
#include <vector>

#include "base/file.h"

namespace homeslice::ctl::lab {
namespace {

namespace fs = std::filesystem;

constexpr int kThreads = 16;  // they wait more than they work

std::vector<std::string> regularFilesBelow(const std::string& directory) {
    std::vector<std::string> files;
    std::error_code error;
    for (auto entry = fs::recursive_directory_iterator(directory, error); entry != fs::recursive_directory_iterator();
         entry.increment(error)) {
        std::error_code unknown;
        if (fs::is_regular_file(entry->symlink_status(unknown))) files.push_back(entry->path().string());
    }
    return files;
}

}  // namespace

absl::Status removeLargeTree(const std::string& directory) {
    const std::vector<std::string> files = regularFilesBelow(directory);
    std::atomic<size_t> next{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
        threads.emplace_back([&] {
            for (size_t file = next++; file < files.size(); file = next++) ::unlink(files[file].c_str());
        });
    }
    for (std::thread& thread : threads) thread.join();
    // Says what could not be removed, too.
    return removeTree(directory);
}

}  // namespace homeslice::ctl::lab
