#include "noded/init/log_writer.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace homeslice::init {
namespace {

constexpr size_t kMaxRecordHead = 64;
constexpr char kNewExitFile[] = "exit.new";

struct Date {
    int64_t year;
    unsigned month;
    unsigned day;
};

// Proleptic Gregorian calendar from days since 1970-01-01, counted in years that begin in March. gmtime(3) would read
// the image's time zone files.
Date dateOf(int64_t days_since_epoch) {
    const int64_t days = days_since_epoch + 719468;
    const int64_t era = days / 146097;
    const auto day_of_era = static_cast<unsigned>(days - era * 146097);
    const unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    const unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const unsigned month_from_march = (5 * day_of_year + 2) / 153;
    const unsigned month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    return {year_of_era + era * 400 + (month <= 2 ? 1 : 0), month, day_of_year - (153 * month_from_march + 2) / 5 + 1};
}

struct FileName {
    explicit FileName(uint32_t age) { ::snprintf(text, sizeof(text), "%s.%u", kLogFile, age); }
    char text[24];
};

bool writeWhole(int fd, const char* data, size_t size) {
    while (size > 0) {
        const ssize_t written = ::write(fd, data, size);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        data += written;
        size -= static_cast<size_t>(written);
    }
    return true;
}

}  // namespace

LogWriter::LogWriter(int directory_fd) : directory_fd_(directory_fd) { openLog(); }

void LogWriter::openLog() {
    file_.reset(::openat(directory_fd_, kLogFile, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640));
    struct stat about {};
    file_size_ = file_ && ::fstat(file_.get(), &about) == 0 ? static_cast<uint64_t>(about.st_size) : 0;
}

void LogWriter::keepWithin(const LogLimits& limits) {
    limits_ = limits;
    uint32_t age = limits_.files;
    while (age < kMaxLogFiles && ::unlinkat(directory_fd_, FileName(age).text, 0) == 0) ++age;
}

// From the oldest on, so that a reader who looks from the newest on never misses a file that moves meanwhile.
void LogWriter::rotate() {
    for (uint32_t age = limits_.files - 1; age > 1; --age) {
        ::renameat(directory_fd_, FileName(age - 1).text, directory_fd_, FileName(age).text);
    }
    const bool gone = limits_.files > 1 ? ::renameat(directory_fd_, kLogFile, directory_fd_, FileName(1).text) == 0
                                        : ::unlinkat(directory_fd_, kLogFile, 0) == 0;
    if (gone) openLog();
}

void LogWriter::write(Stream stream, const char* data, size_t size) {
    stampTime();
    Line& line = lines_[static_cast<size_t>(stream)];
    while (size > 0) {
        const size_t room = std::min(size, sizeof(line.text) - line.size);
        const void* newline = std::memchr(data, '\n', room);
        const size_t taken = newline == nullptr ? room : static_cast<size_t>(static_cast<const char*>(newline) - data);
        std::memcpy(line.text + line.size, data, taken);
        line.size += taken;
        const size_t consumed = taken + (newline == nullptr ? 0 : 1);
        data += consumed;
        size -= consumed;
        if (newline != nullptr) {
            addRecord(stream, 'F');
        } else if (line.size == sizeof(line.text)) {
            addRecord(stream, 'P');
        }
    }
    flush();
}

void LogWriter::finish(Stream stream) {
    if (lines_[static_cast<size_t>(stream)].size == 0) return;
    stampTime();
    addRecord(stream, 'P');
    flush();
}

void LogWriter::addRecord(Stream stream, char flag) {
    Line& line = lines_[static_cast<size_t>(stream)];
    const size_t most = kMaxRecordHead + line.size + 1;
    const bool fits = batch_size_ + most <= sizeof(batch_) && file_size_ + batch_size_ + most <= limits_.max_bytes;
    if (!fits) flush();
    const int head = ::snprintf(batch_ + batch_size_, kMaxRecordHead, "%s %s %c ", time_,
                                stream == Stream::out ? "stdout" : "stderr", flag);
    batch_size_ += static_cast<size_t>(head);
    std::memcpy(batch_ + batch_size_, line.text, line.size);
    batch_size_ += line.size;
    batch_[batch_size_++] = '\n';
    line.size = 0;
}

void LogWriter::flush() {
    if (batch_size_ == 0) return;
    if (file_size_ > 0 && file_size_ + batch_size_ > limits_.max_bytes) rotate();
    if (!file_) openLog();
    if (file_) writeWhole(file_.get(), batch_, batch_size_);
    file_size_ += batch_size_;
    batch_size_ = 0;
}

void LogWriter::stampTime() {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    constexpr int64_t kSecondsPerDay = 86400;
    const Date date = dateOf(now.tv_sec / kSecondsPerDay);
    const auto second = static_cast<unsigned>(now.tv_sec % kSecondsPerDay);
    ::snprintf(time_, sizeof(time_), "%04u-%02u-%02uT%02u:%02u:%02u.%09luZ", static_cast<unsigned>(date.year) % 10000,
               date.month % 100, date.day % 100, second / 3600 % 100, second / 60 % 60, second % 60,
               static_cast<unsigned long>(now.tv_nsec) % 1000000000);
}

bool writeExitFile(int directory_fd, int status) {
    const UniqueFd file(
        ::openat(directory_fd, kNewExitFile, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640));
    char text[16];
    const int size = ::snprintf(text, sizeof(text), "%d\n", status);
    if (!file || !writeWhole(file.get(), text, static_cast<size_t>(size))) return false;
    return ::renameat(directory_fd, kNewExitFile, directory_fd, kExitFile) == 0;
}

void removeExitFile(int directory_fd) { ::unlinkat(directory_fd, kExitFile, 0); }

}  // namespace homeslice::init
