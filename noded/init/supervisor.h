// The life of a sliver as its PID 1 sees it: one command (or none), its output, what noded asks for, the end.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "base/unique_fd.h"
#include "noded/init/control.h"
#include "noded/init/log_writer.h"
#include "noded/init/spawn.h"

namespace homeslice::init {

class Supervisor {
public:
    // `argv` ends with nullptr; argv[0] == nullptr: idle.
    struct Options {
        uid_t uid = 0;
        gid_t gid = 0;
        const char* user = "";  // empty: uid and gid
        const char* directory = "/";
        LogLimits log;
        char** argv = nullptr;
    };

    Supervisor(int control_fd, int log_directory_fd);

    // Both: nullptr, or the name of the step that failed, with errno set.
    // All that needs no command to be known.
    const char* prepare();
    const char* start(const Options& options);
    // Returns the sliver's exit status when all its processes have ended.
    int run();

private:
    enum Source : uint32_t {
        signals,
        grace_timer,
        listener,
        command_out,
        command_err,
        connection,
        execution,      // a detached command's
        drained_output  // the same
    };

    bool watch(int fd, Source source, uint32_t index = 0);
    void watchOnce(int fd, Source source, uint32_t index);
    bool openPipe(Stream stream, UniqueFd& write_end);
    bool spawnCommand();
    void onEvent(Source source, uint32_t index);
    void onSignals();
    void reap();
    void onCommandEnd(int wait_status);
    void onConnection(uint32_t index);
    void acceptConnection();
    void stop(int signal, uint32_t grace_ms);
    void onGraceOver();
    bool pump(Stream stream);
    bool finished() const;
    void endEveryProcess();
    void drainOutput();

    Options options_;
    int control_fd_;
    int log_directory_fd_;
    LogWriter log_;
    Control control_;
    UniqueFd epoll_;
    UniqueFd signals_;
    UniqueFd timer_;
    UniqueFd output_[2];
    pid_t command_ = 0;  // 0: none, or ended
    int status_ = 0;
    bool stopping_ = false;
};

}  // namespace homeslice::init
