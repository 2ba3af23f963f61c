#include "noded/mobility/hooks.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/status.h"
#include "base/unique_fd.h"

namespace homeslice::mobility {
namespace {

constexpr uint32_t kHandle = 1;
constexpr uint32_t kPriority = 0x4853;
// Of enum bpf_attach_type; Debian 12's headers are older.
constexpr uint32_t kTcxIngress = 46;
constexpr uint32_t kTcxEgress = 47;
constexpr uint32_t kMostPrograms = 64;  // of one hook of a link: the kernel's bound

std::string nameOf(int link) { return "link " + std::to_string(link); }

int callKernel(bpf_cmd command, bpf_attr& attributes) {
    return ::syscall(SYS_bpf, command, &attributes, sizeof attributes) == 0 ? 0 : errno;
}

uint32_t tcxHook(Hook hook) { return hook == Hook::ingress ? kTcxIngress : kTcxEgress; }

std::string nameOfProgram(int program) {
    bpf_prog_info info{};
    uint32_t size = sizeof info;
    return bpf_obj_get_info_by_fd(program, &info, &size) == 0 ? info.name : std::string();
}

// The tcx program of that name; empty when there is none, or no tcx.
UniqueFd findProgram(int link, Hook hook, const std::string& name) {
    std::array<uint32_t, kMostPrograms> ids{};
    bpf_attr attributes{};
    attributes.query.target_fd = static_cast<uint32_t>(link);
    attributes.query.attach_type = tcxHook(hook);
    attributes.query.prog_ids = reinterpret_cast<uintptr_t>(ids.data());
    attributes.query.prog_cnt = kMostPrograms;
    if (callKernel(BPF_PROG_QUERY, attributes) != 0) return {};
    for (uint32_t i = 0; i < attributes.query.prog_cnt && i < kMostPrograms; ++i) {
        UniqueFd program(bpf_prog_get_fd_by_id(ids.at(i)));
        if (program && nameOfProgram(program.get()) == name) return program;
    }
    return {};
}

int attachToTcx(int link, Hook hook, int program) {
    const UniqueFd earlier = findProgram(link, hook, nameOfProgram(program));
    bpf_attr attributes{};
    attributes.target_fd = static_cast<uint32_t>(link);
    attributes.attach_type = tcxHook(hook);
    attributes.attach_bpf_fd = static_cast<uint32_t>(program);
    if (earlier) {
        attributes.attach_flags = BPF_F_REPLACE;
        attributes.replace_bpf_fd = static_cast<uint32_t>(earlier.get());
    }
    const int error = callKernel(BPF_PROG_ATTACH, attributes);
    return error == EEXIST ? 0 : error;  // it is there already
}

bpf_tc_hook clsactHook(int link, Hook hook) {
    bpf_tc_hook result{};
    result.sz = sizeof result;
    result.ifindex = link;
    result.attach_point = hook == Hook::ingress ? BPF_TC_INGRESS : BPF_TC_EGRESS;
    return result;
}

bpf_tc_opts clsactOptions() {
    bpf_tc_opts options{};
    options.sz = sizeof options;
    options.handle = kHandle;
    options.priority = kPriority;
    return options;
}

absl::Status attachToClsact(int link, Hook hook, int program) {
    bpf_tc_hook where = clsactHook(link, hook);
    if (const int error = bpf_tc_hook_create(&where); error != 0 && error != -EEXIST)
        return errnoStatus(-error, "add clsact to " + nameOf(link));
    bpf_tc_opts options = clsactOptions();
    options.prog_fd = program;
    options.flags = BPF_TC_F_REPLACE;
    if (const int error = bpf_tc_attach(&where, &options); error != 0)
        return errnoStatus(-error, "attach a BPF program to " + nameOf(link));
    return absl::OkStatus();
}

absl::Status detachFromClsact(int link, Hook hook) {
    const bpf_tc_hook where = clsactHook(link, hook);
    const bpf_tc_opts options = clsactOptions();
    const int error = bpf_tc_detach(&where, &options);
    // EINVAL: no clsact there.
    if (error == 0 || error == -ENOENT || error == -EINVAL || error == -ENODEV) return absl::OkStatus();
    return errnoStatus(-error, "detach a BPF program from " + nameOf(link));
}

}  // namespace

absl::Status attachProgram(int link, Hook hook, int program) {
    const int error = attachToTcx(link, hook, program);
    if (error == EINVAL) return attachToClsact(link, hook, program);  // a kernel without tcx
    return error == 0 ? absl::OkStatus() : errnoStatus(error, "attach a BPF program to " + nameOf(link));
}

absl::Status detachProgram(int link, Hook hook, const std::string& name) {
    const UniqueFd program = findProgram(link, hook, name);
    if (!program) return detachFromClsact(link, hook);
    bpf_attr attributes{};
    attributes.target_fd = static_cast<uint32_t>(link);
    attributes.attach_type = tcxHook(hook);
    attributes.attach_bpf_fd = static_cast<uint32_t>(program.get());
    const int error = callKernel(BPF_PROG_DETACH, attributes);
    if (error == 0 || error == ENOENT || error == ENODEV) return absl::OkStatus();
    return errnoStatus(error, "detach a BPF program from " + nameOf(link));
}

}  // namespace homeslice::mobility
