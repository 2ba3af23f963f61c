#include "noded/sys/cgroup_files.h"

#include <unistd.h>

#include <cstdlib>

#include "base/file.h"
#include "base/status.h"

namespace homeslice::sys {

bool ControllerFiles::has(const std::string& file) const {
    return ::access((directory_ + "/" + file).c_str(), F_OK) == 0;
}

absl::StatusOr<std::string> ControllerFiles::read(const std::string& file) const {
    return readFile(directory_ + "/" + file);
}

absl::StatusOr<uint64_t> ControllerFiles::readNumber(const std::string& file) const {
    HS_ASSIGN_OR_RETURN(const std::string text, read(file));
    return text.starts_with("max") ? UINT64_MAX : std::strtoull(text.c_str(), nullptr, 10);
}

absl::Status ControllerFiles::write(const std::string& file, const std::string& value) const {
    const absl::Status written = writeControlFile(directory_ + "/" + file, value);
    if (errnoOf(written) == ENOENT && ::access(directory_.c_str(), F_OK) == 0) {
        return failedPrecondition("the kernel of this host has no " + file + ": it cannot enforce that limit");
    }
    return withContext(written, file + "=" + value);
}

absl::Status ControllerFiles::set(const std::string& file, bool is_set, const std::string& wanted, GroupAge age,
                                  const std::string& none) const {
    if (is_set) return write(file, wanted);
    return age == GroupAge::existing && has(file) ? write(file, none) : absl::OkStatus();
}

absl::Status limitPids(const ControllerFiles& files, const CgroupLimits& limits, GroupAge age) {
    return files.set("pids.max", limits.pids != 0, std::to_string(limits.pids), age, "max");
}

}  // namespace homeslice::sys
