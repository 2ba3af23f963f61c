#include "noded/sys/seccomp.h"

#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "base/file.h"
#include "base/status.h"

namespace homeslice::sys {
namespace {

struct ReleaseFilter {
    void operator()(void* filter) const { ::seccomp_release(filter); }
};
using Filter = std::unique_ptr<void, ReleaseFilter>;

uint32_t actionValue(SeccompAction action, int error) {
    switch (action) {
        case SeccompAction::allow:
            return SCMP_ACT_ALLOW;
        case SeccompAction::fail:
            return SCMP_ACT_ERRNO(static_cast<uint32_t>(error));
        case SeccompAction::kill_process:
            return SCMP_ACT_KILL_PROCESS;
        case SeccompAction::log:
            return SCMP_ACT_LOG;
    }
    return SCMP_ACT_KILL_PROCESS;
}

scmp_compare operatorValue(SeccompComparison::Operator op) {
    switch (op) {
        case SeccompComparison::Operator::equal:
            return SCMP_CMP_EQ;
        case SeccompComparison::Operator::not_equal:
            return SCMP_CMP_NE;
        case SeccompComparison::Operator::less:
            return SCMP_CMP_LT;
        case SeccompComparison::Operator::less_equal:
            return SCMP_CMP_LE;
        case SeccompComparison::Operator::greater:
            return SCMP_CMP_GT;
        case SeccompComparison::Operator::greater_equal:
            return SCMP_CMP_GE;
        case SeccompComparison::Operator::masked_equal:
            return SCMP_CMP_MASKED_EQ;
    }
    return SCMP_CMP_EQ;
}

scmp_arg_cmp comparisonValue(const SeccompComparison& comparison) {
    scmp_arg_cmp value{};
    value.arg = comparison.argument;
    value.op = operatorValue(comparison.op);
    const bool masked = comparison.op == SeccompComparison::Operator::masked_equal;
    value.datum_a = masked ? comparison.mask : comparison.value;
    value.datum_b = masked ? comparison.value : 0;
    return value;
}

absl::Status checkError(int error) {
    constexpr int kMaxErrno = 4095;
    if (error > 0 && error <= kMaxErrno) return absl::OkStatus();
    return invalidArgument("seccomp: not an errno: " + std::to_string(error));
}

absl::Status addRule(scmp_filter_ctx filter, const SeccompRule& rule, uint32_t default_action) {
    HS_RETURN_IF_ERROR(checkError(rule.error));
    const uint32_t action = actionValue(rule.action, rule.error);
    const int number = ::seccomp_syscall_resolve_name(rule.syscall.c_str());
    if (number == __NR_SCMP_ERROR) return invalidArgument("seccomp: no such system call: " + rule.syscall);
    if (action == default_action) return absl::OkStatus();
    std::vector<scmp_arg_cmp> comparisons;
    for (const SeccompComparison& comparison : rule.comparisons) comparisons.push_back(comparisonValue(comparison));
    const int result =
        ::seccomp_rule_add_array(filter, action, number, static_cast<unsigned>(comparisons.size()), comparisons.data());
    if (result < 0) return errnoStatus(-result, "seccomp: rule for " + rule.syscall);
    return absl::OkStatus();
}

absl::Status setAttribute(scmp_filter_ctx filter, scmp_filter_attr attribute, uint32_t value) {
    const int result = ::seccomp_attr_set(filter, attribute, value);
    if (result < 0) return errnoStatus(-result, "seccomp_attr_set");
    return absl::OkStatus();
}

absl::StatusOr<std::string> exportProgram(scmp_filter_ctx filter) {
    UniqueFd file(::memfd_create("seccomp", MFD_CLOEXEC));
    if (!file) return errnoStatus(errno, "memfd_create");
    const int result = ::seccomp_export_bpf(filter, file.get());
    if (result < 0) return errnoStatus(-result, "seccomp_export_bpf");
    if (::lseek(file.get(), 0, SEEK_SET) < 0) return errnoStatus(errno, "lseek");
    return readAll(file.get());
}

}  // namespace

absl::StatusOr<std::string> compileProfile(const SeccompProfile& profile) {
    HS_RETURN_IF_ERROR(checkError(profile.default_error));
    const uint32_t default_action = actionValue(profile.default_action, profile.default_error);
    const Filter filter(::seccomp_init(default_action));
    if (!filter) return resourceExhausted("seccomp_init failed");
    HS_RETURN_IF_ERROR(setAttribute(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS));
    constexpr uint32_t kBinaryTree = 2;
    HS_RETURN_IF_ERROR(setAttribute(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, kBinaryTree));
    for (const SeccompRule& rule : profile.rules) HS_RETURN_IF_ERROR(addRule(filter.get(), rule, default_action));
    return exportProgram(filter.get());
}

bool isKnownSyscall(const std::string& syscall) {
    return ::seccomp_syscall_resolve_name(syscall.c_str()) != __NR_SCMP_ERROR;
}

}  // namespace homeslice::sys
