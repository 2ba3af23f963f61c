#include "noded/init/supervisor.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

namespace homeslice::init {
namespace {

// In a pid namespace -1 means every process but this one. False when there was none.
bool signalEveryProcess(int signal) { return ::kill(-1, signal) == 0 || errno != ESRCH; }

epoll_event eventOf(uint32_t events, uint32_t source, uint32_t index) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = uint64_t{source} << 32 | index;
    return event;
}

}  // namespace

Supervisor::Supervisor(int control_fd, int log_directory_fd)
    : control_fd_(control_fd), log_directory_fd_(log_directory_fd), log_(log_directory_fd) {}

const char* Supervisor::prepare() {
    removeExitFile(log_directory_fd_);
    epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll_) return "epoll_create1";

    sigset_t taken;
    ::sigemptyset(&taken);
    ::sigaddset(&taken, SIGCHLD);
    if (::sigprocmask(SIG_BLOCK, &taken, nullptr) < 0) return "sigprocmask";
    signals_.reset(::signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!signals_ || !watch(signals_.get(), signals)) return "signalfd";

    timer_.reset(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    if (!timer_ || !watch(timer_.get(), grace_timer)) return "timerfd_create";

    if (::fcntl(control_fd_, F_SETFL, O_NONBLOCK) < 0 || !watch(control_fd_, listener)) return "watch control socket";
    return nullptr;
}

const char* Supervisor::start(const Options& options) {
    options_ = options;
    log_.keepWithin(options.log);
    control_.setDefaults({.uid = options.uid, .gid = options.gid, .user = options.user});
    if (options_.argv[0] != nullptr && !spawnCommand()) return "start command";
    return nullptr;
}

bool Supervisor::watch(int fd, Source source, uint32_t index) {
    epoll_event event = eventOf(EPOLLIN, source, index);
    return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

// For what others have open too: closing it here does not end the watch, and a hang-up would be told for ever.
void Supervisor::watchOnce(int fd, Source source, uint32_t index) {
    epoll_event event = eventOf(EPOLLIN | EPOLLONESHOT, source, index);
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) < 0 && errno == ENOENT) {
        ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
    }
}

bool Supervisor::openPipe(Stream stream, UniqueFd& write_end) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) < 0) return false;
    UniqueFd& read_end = output_[static_cast<size_t>(stream)];
    read_end.reset(ends[0]);
    write_end.reset(ends[1]);
    if (::fcntl(read_end.get(), F_SETFL, O_NONBLOCK) < 0) return false;
    return watch(read_end.get(), stream == Stream::out ? command_out : command_err);
}

bool Supervisor::spawnCommand() {
    UniqueFd out;
    UniqueFd err;
    if (!openPipe(Stream::out, out) || !openPipe(Stream::err, err)) return false;
    Command command;
    command.argv = options_.argv;
    command.directory = options_.directory;
    command.user = options_.user;
    command.uid = options_.uid;
    command.gid = options_.gid;
    command.streams[STDOUT_FILENO] = out.get();
    command.streams[STDERR_FILENO] = err.get();
    const pid_t pid = spawn(command);
    if (pid < 0) {
        errno = -pid;
        return false;
    }
    command_ = pid;
    return true;
}

int Supervisor::run() {
    while (!finished()) {
        epoll_event events[16];
        const int count = ::epoll_wait(epoll_.get(), events, 16, -1);
        for (int i = 0; i < count; ++i) {
            const uint64_t key = events[i].data.u64;
            onEvent(static_cast<Source>(key >> 32), static_cast<uint32_t>(key));
        }
    }
    endEveryProcess();
    drainOutput();
    return status_;
}

// The command is the sliver's life; one that idles lives until it is stopped and its last process is gone.
bool Supervisor::finished() const {
    if (options_.argv[0] != nullptr) return command_ == 0;
    return stopping_ && ::kill(-1, 0) < 0 && errno == ESRCH;
}

void Supervisor::onEvent(Source source, uint32_t index) {
    switch (source) {
        case signals:
            return onSignals();
        case grace_timer:
            return onGraceOver();
        case listener:
            return acceptConnection();
        case command_out:
            pump(Stream::out);
            return;
        case command_err:
            pump(Stream::err);
            return;
        case connection:
            return onConnection(index);
        case execution:
            return control_.onExecution(static_cast<int>(index));
        case drained_output: {
            const int more = control_.discardOutput(static_cast<int>(index));
            if (more >= 0) watchOnce(more, drained_output, index);
            return;
        }
    }
}

void Supervisor::onSignals() {
    signalfd_siginfo info;
    while (::read(signals_.get(), &info, sizeof(info)) > 0) continue;
    reap();
}

// The command's children whose parents ended are ours too: everything that ended is reaped.
void Supervisor::reap() {
    int wait_status = 0;
    for (pid_t pid; (pid = ::waitpid(-1, &wait_status, WNOHANG)) > 0;) {
        if (pid == command_) {
            onCommandEnd(wait_status);
        } else {
            control_.onChildEnd(pid, wait_status);
        }
    }
}

void Supervisor::onCommandEnd(int wait_status) {
    command_ = 0;
    status_ = exitStatus(wait_status);
    writeExitFile(log_directory_fd_, status_);
}

void Supervisor::acceptConnection() {
    const int index = control_.accept(control_fd_);
    if (index >= 0) watch(control_.descriptor(index), connection, static_cast<uint32_t>(index));
}

void Supervisor::onConnection(uint32_t index) {
    const Control::Wish wish = control_.onReadable(static_cast<int>(index));
    if (wish.stop) stop(wish.signal_number, wish.grace_ms);
    if (wish.execution >= 0) watch(wish.execution, execution, index);
    if (wish.drain >= 0) watchOnce(wish.drain, drained_output, index);
}

// Asked again, only the time left changes.
void Supervisor::stop(int signal, uint32_t grace_ms) {
    if (!stopping_) {
        stopping_ = true;
        if (signal == 0) signal = SIGTERM;
        if (command_ > 0) {
            ::kill(command_, signal);
        } else {
            signalEveryProcess(signal);
        }
    }
    itimerspec when{};
    when.it_value.tv_sec = grace_ms / 1000;
    when.it_value.tv_nsec = static_cast<long>(grace_ms % 1000) * 1000000 + 1;  // all zero would disarm the timer
    ::timerfd_settime(timer_.get(), 0, &when, nullptr);
}

void Supervisor::onGraceOver() {
    uint64_t expirations = 0;
    if (::read(timer_.get(), &expirations, sizeof(expirations)) > 0) signalEveryProcess(SIGKILL);
}

// False when there is nothing more to read for now.
bool Supervisor::pump(Stream stream) {
    UniqueFd& pipe = output_[static_cast<size_t>(stream)];
    if (!pipe) return false;
    static char chunk[64 << 10];
    const ssize_t size = ::read(pipe.get(), chunk, sizeof(chunk));
    if (size > 0) {
        log_.write(stream, chunk, static_cast<size_t>(size));
        return true;
    }
    if (size == 0) {
        log_.finish(stream);
        pipe.reset();
    }
    return false;
}

void Supervisor::endEveryProcess() {
    signalEveryProcess(SIGKILL);
    int wait_status = 0;
    for (;;) {
        const pid_t pid = ::waitpid(-1, &wait_status, 0);
        if (pid > 0) control_.onChildEnd(pid, wait_status);
        if (pid < 0 && errno != EINTR) return;
    }
}

void Supervisor::drainOutput() {
    for (const Stream stream : {Stream::out, Stream::err}) {
        while (pump(stream)) continue;
        log_.finish(stream);
    }
}

}  // namespace homeslice::init
