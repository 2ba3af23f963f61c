// To be preloaded (ld.so(8), LD_PRELOAD) into a program that keeps a SQLite database in WAL mode with synchronous=FULL:
// each batch that it stores is then one fdatasync() of the -wal file. Kills the program with SIGKILL right before or
// right after a certain one of them, so that a test can end it at every write:
//   HST_DIE_AT_SYNC=N          the Nth from its start
//   HST_DIE=before | after
#include <dlfcn.h>
#include <linux/limits.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

int fatalSync() {
    const char* const text = std::getenv("HST_DIE_AT_SYNC");
    return text == nullptr ? 0 : std::atoi(text);
}

bool diesBefore() {
    const char* const text = std::getenv("HST_DIE");
    return text != nullptr && std::string_view(text) == "before";
}

bool isWriteAheadLog(int fd) {
    std::array<char, PATH_MAX> path{};
    const ssize_t length = ::readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), path.data(), path.size());
    return length > 0 && std::string_view(path.data(), static_cast<size_t>(length)).ends_with("-wal");
}

bool isFatal(int fd) {
    static std::atomic<int> syncs = 0;
    return isWriteAheadLog(fd) && ++syncs == fatalSync();
}

}  // namespace

extern "C" int fdatasync(int fd) {
    static const auto kReal = reinterpret_cast<int (*)(int)>(::dlsym(RTLD_NEXT, "fdatasync"));
    const bool fatal = isFatal(fd);
    if (fatal && diesBefore()) ::kill(::getpid(), SIGKILL);
    const int done = kReal(fd);
    if (fatal) ::kill(::getpid(), SIGKILL);
    return done;
}
