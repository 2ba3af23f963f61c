#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "base/file.h"
#include "base/status.h"
#include "noded/init/assignment.h"
#include "noded/init/log_format.h"
#include "noded/init/setup_report.h"
#include "noded/launcher/client.h"
#include "noded/launcher/protocol.h"
#include "noded/sys/packed_strings.h"
#include "noded/sys/unix_socket.h"

namespace homeslice::launcher {
namespace {

constexpr std::chrono::seconds kReadyTimeout(30);
constexpr std::chrono::seconds kEndTimeout(10);

absl::Status checkPlan(const LaunchPlan& plan) {
    if (!plan.root_mount || !plan.control_socket || !plan.log_directory || !plan.init_program) {
        return invalidArgument("the plan lacks a descriptor");
    }
    if (plan.volumes.size() > kMaxPlanVolumes) {
        return invalidArgument("more than " + std::to_string(kMaxPlanVolumes) + " volumes");
    }
    if (plan.seccomp_program.empty()) return invalidArgument("the plan lacks a seccomp program");
    if (plan.seccomp_program.size() > kMaxSeccompProgram) return invalidArgument("the seccomp program is too long");
    return absl::OkStatus();
}

// Unreadable inside is what keeps PID 1 from being traced there: the kernel leaves its memory to the host's namespace.
absl::Status checkInitProgram(int program) {
    struct stat about {};
    if (::fstat(program, &about) < 0) return errnoStatus(errno, "fstat of sliver-init");
    if ((about.st_mode & S_IROTH) == 0) return absl::OkStatus();
    return failedPrecondition("sliver-init must not be readable for others: chmod 0711");
}

uint64_t logBytesOf(const Command& command) {
    return command.log_bytes > 0 ? command.log_bytes : init::kDefaultLogBytes;
}

uint32_t logFilesOf(const Command& command) {
    return command.log_files > 0 ? std::min(command.log_files, init::kMaxLogFiles) : init::kDefaultLogFiles;
}

absl::StatusOr<std::string> packPlan(const LaunchPlan& plan) {
    PlanHeader header;
    header.kept_capabilities = plan.kept_capabilities;
    header.seccomp_size = static_cast<uint32_t>(plan.seccomp_program.size());
    header.masked_count = static_cast<uint32_t>(plan.masked_paths.size());
    header.read_only_count = static_cast<uint32_t>(plan.read_only_paths.size());
    header.volume_count = static_cast<uint32_t>(plan.volumes.size());
    std::string data(reinterpret_cast<const char*>(&header), sizeof(header));
    data += plan.seccomp_program;

    std::vector<std::string> strings = {plan.hostname};
    std::vector<std::string> targets;
    for (const VolumeMount& volume : plan.volumes) targets.push_back(volume.target);
    const std::vector<std::string>* lists[] = {&plan.masked_paths, &plan.read_only_paths, &targets};
    for (const auto* list : lists) {
        if (list->size() > kMaxPlanStrings) return invalidArgument("too many strings in the plan");
        strings.insert(strings.end(), list->begin(), list->end());
    }
    for (const std::string& text : strings) {
        if (!sys::isPackable(text)) return invalidArgument("NUL in a string of the plan");
        sys::packString(data, text);
    }
    if (data.size() > kMaxPlanSize) return invalidArgument("the plan is too long");
    return data;
}

absl::StatusOr<UniqueFd> fileOf(const std::string& data) {
    UniqueFd file(::memfd_create("plan", MFD_CLOEXEC));
    if (!file) return errnoStatus(errno, "memfd_create");
    HS_RETURN_IF_ERROR(writeAll(file.get(), data));
    return file;
}

absl::Status sendPlan(int setup, const LaunchPlan& plan) {
    HS_ASSIGN_OR_RETURN(const std::string data, packPlan(plan));
    HS_ASSIGN_OR_RETURN(const UniqueFd file, fileOf(data));
    PlanMessage message;
    message.size = static_cast<uint32_t>(data.size());
    const std::string bytes(reinterpret_cast<const char*>(&message), sizeof(message));
    std::vector<int> descriptors = {file.get(), plan.root_mount.get(), plan.control_socket.get(),
                                    plan.log_directory.get(), plan.init_program.get()};
    for (const VolumeMount& volume : plan.volumes) descriptors.push_back(volume.mount.get());
    return sys::sendMessage(setup, bytes, descriptors);
}

absl::Status awaitReady(int setup) {
    const auto message = sys::receiveMessage(setup, sizeof(init::SetupReport), kReadyTimeout);
    if (absl::IsUnavailable(message.status())) return aborted("the sliver's first process died before it was ready");
    HS_RETURN_IF_ERROR(message.status());
    init::SetupReport report;
    if (message->data.size() != sizeof(report)) return internalError("malformed report of the sliver's first process");
    std::memcpy(&report, message->data.data(), sizeof(report));
    if (report.kind == init::SetupReport::ready) return absl::OkStatus();
    report.step[sizeof(report.step) - 1] = '\0';
    report.subject[sizeof(report.subject) - 1] = '\0';
    const std::string subject = report.subject;
    return errnoStatus(report.error, report.step + (subject.empty() ? "" : "(" + subject + ")"));
}

// In the order of init/assignment.h.
absl::Status sendAssignment(int setup, const Command& command) {
    std::vector<std::string> strings = {std::to_string(command.uid),
                                        std::to_string(command.gid),
                                        command.user,
                                        command.working_directory.empty() ? "/" : command.working_directory,
                                        std::to_string(logBytesOf(command)),
                                        std::to_string(logFilesOf(command))};
    strings.insert(strings.end(), command.argv.begin(), command.argv.end());
    init::Assignment assignment;
    assignment.argument_count = static_cast<uint32_t>(strings.size());
    assignment.environment_count = static_cast<uint32_t>(command.env.size());
    strings.insert(strings.end(), command.env.begin(), command.env.end());
    if (strings.size() > init::kMaxAssignedStrings) return invalidArgument("too many arguments and variables");
    std::string data;
    for (const std::string& text : strings) {
        if (!sys::isPackable(text)) return invalidArgument("NUL in a string of the plan");
        sys::packString(data, text);
    }
    if (data.size() > init::kMaxAssignmentSize) return invalidArgument("arguments and environment are too long");
    assignment.size = static_cast<uint32_t>(data.size());
    HS_ASSIGN_OR_RETURN(const UniqueFd file, fileOf(data));
    return sys::sendMessage(setup, {reinterpret_cast<const char*>(&assignment), sizeof(assignment)}, {file.get()});
}

absl::Status handOver(const Child& child, const LaunchPlan& plan) {
    HS_RETURN_IF_ERROR(checkPlan(plan));
    HS_RETURN_IF_ERROR(checkInitProgram(plan.init_program.get()));
    return sendPlan(child.setup.get(), plan);
}

absl::Status endChild(const Child& child) {
    HS_RETURN_IF_ERROR(sys::signalProcess(child.pidfd.get(), SIGKILL));
    HS_ASSIGN_OR_RETURN(const bool ended, sys::waitForEnd(child.pidfd.get(), kEndTimeout));
    return ended ? absl::OkStatus() : deadlineExceeded("a child that failed to start does not end");
}

absl::Status endFailed(Child& child, const absl::Status& failure) {
    child.setup.reset();
    const absl::Status ended = endChild(child);
    return ended.ok() ? failure : withContext(failure, messageOf(ended));
}

}  // namespace

absl::Status park(Child& child, LaunchPlan plan, const Meanwhile& meanwhile) {
    absl::Status result = handOver(child, plan);
    if (result.ok() && meanwhile) meanwhile();
    // A child that has failed already takes no plan, but has said why.
    if (result.ok() || absl::IsUnavailable(result)) result = awaitReady(child.setup.get());
    return result.ok() ? result : endFailed(child, result);
}

absl::Status assign(Child& child, const Command& command) {
    absl::Status result = sendAssignment(child.setup.get(), command);
    if (result.ok()) result = awaitReady(child.setup.get());
    return result.ok() ? result : endFailed(child, result);
}

}  // namespace homeslice::launcher
