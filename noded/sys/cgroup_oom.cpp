// Who was killed at a group's memory limit, from the kernel's log.
#include <fcntl.h>
#include <unistd.h>

#include <charconv>

#include "base/file.h"
#include "base/status.h"
#include "noded/sys/cgroup.h"

namespace homeslice::sys {
namespace {

constexpr size_t kMostRecord = 8192;  // PRINTK_MESSAGE_MAX and room for the prefix

constexpr const char* kLimit = ",oom_memcg=";
constexpr const char* kTaskGroup = ",task_memcg=";
constexpr const char* kTask = ",task=";
constexpr const char* kPid = ",pid=";

// "...;oom-kill:constraint=...,oom_memcg=/GROUP,task_memcg=/GROUP,task=NAME,pid=123,uid=0". NAME is the process's own
// word: what stands before it is looked for from the front, what stands behind it from the back.
std::optional<OomVictim> parseVictim(const std::string& record, const std::string& group) {
    const size_t limit = record.find(kLimit);
    const size_t task_group = record.find(kTaskGroup, limit);
    const size_t task = record.find(kTask, task_group);
    const size_t pid = record.rfind(kPid);
    if (record.find(";oom-kill:") == std::string::npos || limit == std::string::npos ||
        task_group == std::string::npos || task == std::string::npos || pid == std::string::npos || pid < task)
        return std::nullopt;
    if (!record.substr(limit, task_group - limit).ends_with("/" + group)) return std::nullopt;
    const size_t name = task + std::string_view(kTask).size();
    OomVictim victim{.pid = 0, .name = record.substr(name, pid - name)};
    const char* const digits = record.data() + pid + std::string_view(kPid).size();
    std::from_chars(digits, record.data() + record.size(), victim.pid);
    return victim;
}

}  // namespace

std::optional<OomVictim> lastOomVictim(const std::string& group) {
    const auto log = openFile("/dev/kmsg", O_RDONLY | O_NONBLOCK);
    if (!log.ok()) return std::nullopt;
    std::optional<OomVictim> last;
    std::string record(kMostRecord, '\0');
    for (;;) {
        const ssize_t size = ::read(log->get(), record.data(), record.size());
        if (size < 0 && (errno == EPIPE || errno == EINTR)) continue;  // EPIPE: records were overwritten meanwhile
        if (size <= 0) return last;
        if (auto victim = parseVictim(record.substr(0, static_cast<size_t>(size)), group)) last = std::move(victim);
    }
}

}  // namespace homeslice::sys
