#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "noded/init/setup_report.h"
#include "noded/launcher/protocol.h"
#include "noded/launcher/steps.h"
#include "noded/sys/packed_strings.h"
#include "noded/sys/seqpacket.h"

namespace homeslice::launcher {
namespace {

constexpr char kStep[] = "read plan";

[[noreturn]] void malformed(const Setup& setup, const char* what) {
    errno = EINVAL;
    setup.fail(kStep, what);
}

void* allocate(const Setup& setup, size_t size) {
    void* memory = ::calloc(1, size);
    setup.require(memory != nullptr, kStep, "memory");
    return memory;
}

char* readFile(const Setup& setup, int file, size_t size) {
    auto* data = static_cast<char*>(allocate(setup, size));
    size_t have = 0;
    while (have < size) {
        const ssize_t got = ::pread(file, data + have, size - have, static_cast<off_t>(have));
        setup.require(got >= 0, kStep);
        if (got == 0) malformed(setup, "too short");
        have += static_cast<size_t>(got);
    }
    return data;
}

char* takeString(const Setup& setup, sys::PackedStrings& strings) {
    char* text = strings.next();
    if (text == nullptr) malformed(setup, "a string is missing");
    return text;
}

char** takeList(const Setup& setup, sys::PackedStrings& strings, uint32_t count) {
    if (count > kMaxPlanStrings) malformed(setup, "too many strings");
    auto** list = static_cast<char**>(allocate(setup, (size_t{count} + 1) * sizeof(char*)));
    for (uint32_t i = 0; i < count; ++i) list[i] = takeString(setup, strings);
    return list;
}

void parse(const Setup& setup, char* data, size_t size, size_t volume_count, Plan& plan) {
    PlanHeader header;
    if (size < sizeof(header)) malformed(setup, "no header");
    std::memcpy(&header, data, sizeof(header));
    data += sizeof(header);
    size -= sizeof(header);
    if (header.seccomp_size > size || header.seccomp_size > kMaxSeccompProgram) malformed(setup, "seccomp program");
    plan.kept_capabilities = header.kept_capabilities;
    plan.seccomp_program = data;
    plan.seccomp_size = header.seccomp_size;

    sys::PackedStrings strings(data + header.seccomp_size, size - header.seccomp_size);
    plan.hostname = takeString(setup, strings);
    plan.masked_paths = takeList(setup, strings, header.masked_count);
    plan.read_only_paths = takeList(setup, strings, header.read_only_count);
    if (header.volume_count != volume_count) malformed(setup, "volumes");
    plan.volume_targets = takeList(setup, strings, header.volume_count);
    if (!strings.atEnd()) malformed(setup, "something behind the last string");
}

}  // namespace

void Setup::fail(const char* step, const char* subject) const {
    const init::SetupReport report = init::failureReport(errno, step, subject);
    sys::sendParts(socket_.get(), &report, sizeof(report), nullptr, 0, nullptr, 0);
    ::_exit(1);
}

Plan receivePlan(const Setup& setup) {
    PlanMessage message;
    constexpr size_t kMostFds = kPlanFds + kMaxPlanVolumes;
    UniqueFd fds[kMostFds];
    size_t fd_count = 0;
    const ssize_t size = sys::receiveParts(setup.socket(), &message, sizeof(message), fds, kMostFds, fd_count);
    if (size == 0 || size == -ECONNRESET) ::_exit(1);  // noded gave the child up
    errno = size < 0 ? static_cast<int>(-size) : 0;
    setup.require(size >= 0, kStep);
    if (size != sizeof(message) || message.kind != Kind::plan || fd_count < kPlanFds) malformed(setup, "message");
    if (message.size > kMaxPlanSize) malformed(setup, "too long");

    Plan plan;
    char* data = readFile(setup, fds[0].get(), message.size);
    parse(setup, data, message.size, fd_count - kPlanFds, plan);
    for (size_t i = kPlanFds; i < fd_count; ++i) plan.volumes[i - kPlanFds] = std::move(fds[i]);
    plan.root_mount = std::move(fds[1]);
    plan.control_socket = std::move(fds[2]);
    plan.log_directory = std::move(fds[3]);
    plan.init_program = std::move(fds[4]);
    return plan;
}

}  // namespace homeslice::launcher
