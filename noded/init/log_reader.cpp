#include "noded/init/log_reader.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <deque>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>

#include "base/file.h"
#include "base/status.h"
#include "noded/init/log_format.h"

namespace homeslice::init {
namespace {

constexpr size_t kPieceBytes = size_t{64} * 1024;
// time, blank, "stdout" or "stderr", blank
constexpr size_t kTagAt = kLogTimeSize + 8;

using LineSink = std::function<absl::Status(const std::string& line)>;

struct FileIdentity {
    dev_t device = 0;
    ino_t inode = 0;
    bool operator==(const FileIdentity&) const = default;
};

std::optional<FileIdentity> identityOf(const struct stat& about) {
    return FileIdentity{.device = about.st_dev, .inode = about.st_ino};
}

std::optional<FileIdentity> identityAt(const std::string& path) {
    struct stat about {};
    return ::stat(path.c_str(), &about) == 0 ? identityOf(about) : std::nullopt;
}

// One file of the log, held open: it is the same one under whatever name.
class LogFile {
public:
    LogFile(UniqueFd fd, const FileIdentity& identity) : fd_(std::move(fd)), identity_(identity) {}

    const FileIdentity& identity() const { return identity_; }

    // Hands on the whole lines, without their ends, from where the last call ended up to the end of the file.
    absl::Status readLines(const LineSink& sink) {
        std::string piece;
        for (;;) {
            piece.resize(kPieceBytes);
            const ssize_t count = ::pread(fd_.get(), piece.data(), piece.size(), static_cast<off_t>(offset_));
            if (count < 0 && errno == EINTR) continue;
            if (count < 0) return errnoStatus(errno, "read the log");
            if (count == 0) return absl::OkStatus();
            offset_ += static_cast<uint64_t>(count);
            pending_.append(piece, 0, static_cast<size_t>(count));
            HS_RETURN_IF_ERROR(handOn(sink));
        }
    }

    // Nothing will be added any more: also what has no end of line, of a sliver that was killed while it wrote.
    absl::Status readRest(const LineSink& sink) {
        HS_RETURN_IF_ERROR(readLines(sink));
        return pending_.empty() ? absl::OkStatus() : sink(std::exchange(pending_, {}));
    }

    void rewind() {
        offset_ = 0;
        pending_.clear();
    }

private:
    absl::Status handOn(const LineSink& sink) {
        size_t start = 0;
        for (size_t end = pending_.find('\n'); end != std::string::npos; end = pending_.find('\n', start)) {
            HS_RETURN_IF_ERROR(sink(pending_.substr(start, end - start)));
            start = end + 1;
        }
        pending_.erase(0, start);
        return absl::OkStatus();
    }

    UniqueFd fd_;
    FileIdentity identity_;
    uint64_t offset_ = 0;
    std::string pending_;
};

using LogFiles = std::deque<std::unique_ptr<LogFile>>;  // oldest first

absl::StatusOr<std::unique_ptr<LogFile>> openLogFile(const std::string& path) {
    HS_ASSIGN_OR_RETURN(UniqueFd fd, openFile(path, O_RDONLY | O_NOFOLLOW));
    struct stat about {};
    if (::fstat(fd.get(), &about) < 0) return errnoStatus(errno, "fstat of the log");
    return std::make_unique<LogFile>(std::move(fd), *identityOf(about));
}

// The files after `last`; all of them when it is none of them any more, or null.
//
// From the newest on: a rotation meanwhile moves files on in this direction, so none is missed. Of two names in a row
// one is always there in the middle of a log, and a file that has moved is met twice. Without the newest nothing is
// after `last`: either it is about to come, or the log is being removed and what is left of it is older.
absl::StatusOr<LogFiles> openAfter(const std::string& directory, const LogFile* last) {
    LogFiles files;
    int missing = 0;
    for (uint32_t age = 0; age <= kMaxLogFiles && missing < 2; ++age) {
        auto file = openLogFile(directory + "/" + kLogFile + (age == 0 ? "" : "." + std::to_string(age)));
        if (!file.ok() && !absl::IsNotFound(file.status())) return file.status();
        missing = file.ok() ? 0 : missing + 1;
        if (missing > 0 && age == 0 && last != nullptr) return files;
        if (missing > 0) continue;
        if (last != nullptr && (*file)->identity() == last->identity()) break;
        const bool met = !files.empty() && files.back()->identity() == (*file)->identity();
        if (!met) files.push_back(std::move(*file));
    }
    std::reverse(files.begin(), files.end());
    return files;
}

std::string timeText(int64_t unix_us) {
    constexpr int64_t kMicrosPerSecond = 1'000'000;
    const time_t seconds = unix_us / kMicrosPerSecond;
    tm date{};
    ::gmtime_r(&seconds, &date);
    std::array<char, 48> text{};
    std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%06lld000Z", date.tm_year + 1900,
                  date.tm_mon + 1, date.tm_mday, date.tm_hour, date.tm_min, date.tm_sec,
                  static_cast<long long>(unix_us % kMicrosPerSecond));
    return text.data();
}

bool endsLine(const std::string& record) { return record.size() <= kTagAt || record[kTagAt] != 'P'; }

// Tells of changes in the directory, and of its removal by its parent: the removal of a directory whose files are open
// is not told to those who watch the directory itself.
class Watch {
public:
    static absl::StatusOr<Watch> begin(const std::string& directory) {
        UniqueFd fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
        if (!fd && errno == EMFILE) return resourceExhausted("too many follow logs on this node already");
        if (!fd) return errnoStatus(errno, "inotify_init1");
        constexpr uint32_t kInside = IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVE_SELF | IN_DELETE_SELF;
        constexpr uint32_t kAround = IN_DELETE | IN_MOVED_FROM | IN_MOVE_SELF;
        for (const auto& [path, events] : {std::pair(directory, kInside), std::pair(directory + "/..", kAround)}) {
            if (::inotify_add_watch(fd.get(), path.c_str(), events | IN_ONLYDIR) < 0) {
                return errnoStatus(errno, "watch " + path);
            }
        }
        return Watch(std::move(fd));
    }

    // Until something has changed; false when the sink's reader has gone.
    bool wait(int sink) const { return await(sink, 0).sink == 0; }

    struct Seen {
        bool change = false;
        short sink = 0;  // of the events of poll(2)
    };
    // Until something has changed, or the sink has one of these events, or no reader any more.
    Seen await(int sink, short sink_events) const {
        std::array<pollfd, 2> events{
            {{.fd = fd_.get(), .events = POLLIN, .revents = 0}, {.fd = sink, .events = sink_events, .revents = 0}}};
        while (::poll(events.data(), events.size(), -1) < 0) {
            if (errno != EINTR) return {.change = false, .sink = POLLERR};
        }
        std::array<char, 4096> ignored{};
        while (::read(fd_.get(), ignored.data(), ignored.size()) > 0) {
        }
        return {.change = events[0].revents != 0, .sink = events[1].revents};
    }

private:
    explicit Watch(UniqueFd fd) : fd_(std::move(fd)) {}
    UniqueFd fd_;
};

class LogCopy {
public:
    LogCopy(std::string directory, const LogRange& range, int sink)
        : directory_(std::move(directory)), range_(range), since_(timeText(range.since_us)), sink_(sink) {}

    absl::Status run() {
        const auto identity = identityAt(directory_);
        if (!identity) return errnoStatus(errno, directory_);
        if (range_.follow) {
            HS_ASSIGN_OR_RETURN(watch_, Watch::begin(directory_));
        }
        HS_RETURN_IF_ERROR(begin());
        for (bool more = true; more;) {
            const bool gone = identityAt(directory_) != identity;  // asked first: then nothing comes after the copy
            HS_RETURN_IF_ERROR(copyNew());
            HS_RETURN_IF_ERROR(flush());
            more = watch_ && !gone && (std::exchange(changed_, false) || watch_->wait(sink_));
        }
        if (current_)
            HS_RETURN_IF_ERROR(current_->readRest([this](const std::string& record) { return take(record); }));
        return flush();
    }

private:
    bool inRange(const std::string& record) const {
        return range_.since_us <= 0 || record.size() < kLogTimeSize ||
               record.compare(0, kLogTimeSize, since_, 0, kLogTimeSize) >= 0;
    }

    // Opens what there is and, for `tail`, counts what of it is to be left out.
    absl::Status begin() {
        HS_RETURN_IF_ERROR(openNew());
        if (range_.tail == 0) return absl::OkStatus();
        uint64_t lines = 0;
        bool open = false;
        const LineSink count = [&](const std::string& record) {
            if (!inRange(record)) return absl::OkStatus();
            open = !endsLine(record);
            if (!open) ++lines;
            return absl::OkStatus();
        };
        for (const auto& file : waiting_) {
            HS_RETURN_IF_ERROR(file->readRest(count));
            file->rewind();
        }
        if (open) ++lines;
        skipped_lines_ = lines > range_.tail ? lines - range_.tail : 0;
        return absl::OkStatus();
    }

    // Until the newest file is read to its end and is still the newest.
    absl::Status copyNew() {
        const LineSink sink = [this](const std::string& record) { return take(record); };
        for (;;) {
            if (current_) HS_RETURN_IF_ERROR(current_->readLines(sink));
            HS_RETURN_IF_ERROR(openNew());
            if (waiting_.empty()) return absl::OkStatus();
            if (current_) HS_RETURN_IF_ERROR(current_->readRest(sink));
            current_ = std::move(waiting_.front());
            waiting_.pop_front();
        }
    }

    // What has come since, before its turn: once open it can be read to its end, even if the log is removed. As many
    // as the log itself has at a time: whoever reads so slowly does not keep all that it drops.
    absl::Status openNew() {
        const LogFile* const last = waiting_.empty() ? current_.get() : waiting_.back().get();
        HS_ASSIGN_OR_RETURN(LogFiles files, openAfter(directory_, last));
        if (files.empty()) return absl::OkStatus();
        std::move(files.begin(), files.end(), std::back_inserter(waiting_));
        HS_ASSIGN_OR_RETURN(const LogFiles present, openAfter(directory_, nullptr));
        most_present_ = std::max(most_present_, present.size());
        while (waiting_.size() > most_present_) waiting_.pop_front();
        return absl::OkStatus();
    }

    absl::Status take(const std::string& record) {
        if (!inRange(record)) return absl::OkStatus();
        if (skipped_lines_ > 0) {
            if (endsLine(record)) --skipped_lines_;
            return absl::OkStatus();
        }
        batch_ += record;
        batch_ += '\n';
        return batch_.size() < kPieceBytes ? absl::OkStatus() : flush();
    }

    absl::Status flush() {
        const std::string batch = std::exchange(batch_, {});
        if (!watch_) return writeAll(sink_, batch);
        for (size_t at = 0; at < batch.size(); at += PIPE_BUF) {
            HS_RETURN_IF_ERROR(awaitRoom());
            HS_RETURN_IF_ERROR(writeAll(sink_, batch.substr(at, PIPE_BUF)));
        }
        return absl::OkStatus();
    }

    // For PIPE_BUF bytes in the sink (pipe(7)); looks after the log meanwhile.
    absl::Status awaitRoom() {
        for (;;) {
            const Watch::Seen seen = watch_->await(sink_, POLLOUT);
            if (seen.change) HS_RETURN_IF_ERROR(openNew());
            changed_ = changed_ || seen.change;
            if (seen.sink != 0) return absl::OkStatus();
        }
    }

    const std::string directory_;
    const LogRange range_;
    const std::string since_;
    const int sink_;
    std::optional<Watch> watch_;        // who follows has one
    bool changed_ = false;              // it has told something since the log was last read
    LogFiles waiting_;                  // after current_
    size_t most_present_ = 0;           // files of the log at a time, that were seen
    std::unique_ptr<LogFile> current_;  // all before it has been read
    uint64_t skipped_lines_ = 0;
    std::string batch_;
};

}  // namespace

absl::Status copyLog(const std::string& directory, const LogRange& range, int sink) {
    return LogCopy(directory, range, sink).run();
}

}  // namespace homeslice::init
