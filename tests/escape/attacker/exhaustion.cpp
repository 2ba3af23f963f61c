// Ways to use up what all share. Each goes on until it is killed, takes as much as it gets, and says "full" once when
// it gets no more.
#include <fcntl.h>
#include <mqueue.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <ctime>

#include "attempt.h"

namespace homeslice::attacker {
namespace {

void sayFull() {
    static bool said = false;
    if (said) return;
    said = true;
    ::printf("full\n");
    ::fflush(stdout);
}

[[noreturn]] void holdForever() {
    for (;;) ::pause();
}

// Children that do nothing but fork.
int forkBomb(const Arguments&) {
    for (;;) {
        const int pid = ::fork();
        if (pid < 0) sayFull();
    }
}

// Memory that is written again and again; the child that is killed for it has a successor.
int eatMemory(const Arguments&) {
    for (;;) {
        const int status = inChild([] {
            constexpr size_t kPiece = size_t{4} << 20;
            for (;;) {
                void* piece = ::mmap(nullptr, kPiece, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                if (piece == MAP_FAILED) return ENOMEM;
                std::memset(piece, 1, kPiece);
            }
        });
        if (status != 0) sayFull();
    }
}

// fill_directory PATH: empty files, each an inode.
int fillDirectory(const Arguments& arguments) {
    const std::string directory = arguments.at(0) + "/hst-fill";
    ::mkdir(directory.c_str(), 0700);
    for (unsigned long number = 0;; ++number) {
        const int fd = ::open((directory + "/" + std::to_string(number)).c_str(), O_CREAT | O_WRONLY, 0600);
        if (fd >= 0) {
            ::close(fd);
            continue;
        }
        sayFull();
        holdForever();
    }
}

// Open files in as many processes as there may be.
int eatDescriptors(const Arguments&) {
    for (;;) {
        const int pid = ::fork();
        if (pid < 0) sayFull();
        if (pid != 0) {
            if (pid < 0) holdForever();
            continue;
        }
        while (::open("/dev/null", O_RDONLY) >= 0) continue;
        holdForever();
    }
}

int eatThreads(const Arguments&) {
    for (;;) {
        pthread_t thread{};
        pthread_attr_t small{};
        ::pthread_attr_init(&small);
        ::pthread_attr_setstacksize(&small, 65536);
        const int error = ::pthread_create(
            &thread, &small,
            [](void*) -> void* {
                for (;;) ::pause();
            },
            nullptr);
        if (error != 0) {
            sayFull();
            holdForever();
        }
    }
}

// What the kernel counts by user instead of by group.
int eatInotify(const Arguments&) {
    while (::inotify_init1(0) >= 0) continue;
    sayFull();
    holdForever();
}

int eatPendingSignals(const Arguments&) {
    sigset_t all;
    ::sigfillset(&all);
    ::sigprocmask(SIG_BLOCK, &all, nullptr);
    const sigval nothing{};
    while (::sigqueue(::getpid(), SIGRTMIN, nothing) == 0) continue;
    sayFull();
    holdForever();
}

int eatQueues(const Arguments&) {
    for (int number = 0;; ++number) {
        const std::string name = "/hst-" + std::to_string(number);
        if (::mq_open(name.c_str(), O_CREAT | O_RDWR, 0600, nullptr) >= 0) continue;
        sayFull();
        holdForever();
    }
}

// The same by one who wants one only.
int oneInotify(const Arguments&) { return answer(::inotify_init1(0)); }
int oneTimer(const Arguments&) {
    timer_t timer{};
    return answer(::timer_create(CLOCK_MONOTONIC, nullptr, &timer));
}
int oneQueue(const Arguments&) {
    const int result = answer(::mq_open("/hst-one", O_CREAT | O_RDWR, 0600, nullptr));
    ::mq_unlink("/hst-one");
    return result;
}
int oneProcess(const Arguments&) {
    return inChild([] { return 0; });
}
int oneFile(const Arguments&) {
    const int result = answer(::open("/tmp/hst-one", O_CREAT | O_WRONLY, 0600));
    ::unlink("/tmp/hst-one");
    return result;
}

constexpr Attempt kAttempts[] = {
    {"fork_bomb", forkBomb},
    {"eat_memory", eatMemory},
    {"fill_directory", fillDirectory},
    {"eat_descriptors", eatDescriptors},
    {"eat_threads", eatThreads},
    {"eat_inotify", eatInotify},
    {"eat_pending_signals", eatPendingSignals},
    {"eat_queues", eatQueues},
    {"one_inotify", oneInotify},
    {"one_timer", oneTimer},
    {"one_queue", oneQueue},
    {"one_process", oneProcess},
    {"one_file", oneFile},
};

}  // namespace

std::span<const Attempt> exhaustionAttempts() { return kAttempts; }

}  // namespace homeslice::attacker
