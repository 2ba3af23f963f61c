#include "noded/sys/cgroup_devices.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/bpf.h>

#include <array>
#include <cstddef>

#include "base/file.h"
#include "base/status.h"

namespace homeslice::sys {
namespace {

constexpr size_t kMostRules = 1000;

// The program's registers. The context stays in r1; all of it is read before the first rule.
constexpr uint8_t kResult = BPF_REG_0;
constexpr uint8_t kContext = BPF_REG_1;
constexpr uint8_t kType = BPF_REG_2;
constexpr uint8_t kAccess = BPF_REG_3;
constexpr uint8_t kMajor = BPF_REG_4;
constexpr uint8_t kMinor = BPF_REG_5;

bpf_insn instruction(int code, uint8_t destination, uint8_t source, int16_t offset, int32_t value) {
    bpf_insn result{};
    result.code = static_cast<uint8_t>(code);
    result.dst_reg = destination & 0xf;
    result.src_reg = source & 0xf;
    result.off = offset;
    result.imm = value;
    return result;
}

bpf_insn load(uint8_t destination, size_t offset) {
    return instruction(BPF_LDX | BPF_MEM | BPF_W, destination, kContext, static_cast<int16_t>(offset), 0);
}
bpf_insn jumpUnlessEqual(uint8_t reg, uint32_t value, size_t by) {
    return instruction(BPF_JMP32 | BPF_JNE | BPF_K, reg, 0, static_cast<int16_t>(by), static_cast<int32_t>(value));
}
bpf_insn jumpIfAnyBit(uint8_t reg, uint32_t bits, size_t by) {
    return instruction(BPF_JMP32 | BPF_JSET | BPF_K, reg, 0, static_cast<int16_t>(by), static_cast<int32_t>(bits));
}
void appendAnswer(std::vector<bpf_insn>& program, int32_t answer) {
    program.push_back(instruction(BPF_ALU64 | BPF_MOV | BPF_K, kResult, 0, 0, answer));
    program.push_back(instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
}

uint32_t accessOf(const DeviceRule& rule) {
    uint32_t access = 0;
    if (rule.read) access |= BPF_DEVCG_ACC_READ;
    if (rule.write) access |= BPF_DEVCG_ACC_WRITE;
    if (rule.mknod) access |= BPF_DEVCG_ACC_MKNOD;
    return access;
}

// access_type holds the access in its upper half and the type in its lower.
void appendPrologue(std::vector<bpf_insn>& program) {
    program.push_back(load(kType, offsetof(bpf_cgroup_dev_ctx, access_type)));
    program.push_back(load(kMajor, offsetof(bpf_cgroup_dev_ctx, major)));
    program.push_back(load(kMinor, offsetof(bpf_cgroup_dev_ctx, minor)));
    program.push_back(instruction(BPF_ALU | BPF_MOV | BPF_X, kAccess, kType, 0, 0));
    program.push_back(instruction(BPF_ALU | BPF_RSH | BPF_K, kAccess, 0, 0, 16));
    program.push_back(instruction(BPF_ALU | BPF_AND | BPF_K, kType, 0, 0, 0xffff));
}

// "Yes" when all of the rule fits; each test that fails jumps over the rest.
void appendRule(std::vector<bpf_insn>& program, const DeviceRule& rule) {
    const uint32_t type = rule.type == DeviceRule::Type::block ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR;
    size_t rest = rule.minor ? 5 : 4;
    program.push_back(jumpUnlessEqual(kType, type, rest--));
    program.push_back(jumpIfAnyBit(kAccess, ~accessOf(rule), rest--));
    program.push_back(jumpUnlessEqual(kMajor, rule.major, rest--));
    if (rule.minor) program.push_back(jumpUnlessEqual(kMinor, *rule.minor, rest));
    appendAnswer(program, 1);
}

}  // namespace

std::string DeviceRule::toString() const {
    return std::string(type == Type::block ? "b " : "c ") + std::to_string(major) + ":" +
           (minor ? std::to_string(*minor) : "*") + " " + (read ? "r" : "") + (write ? "w" : "") + (mknod ? "m" : "");
}

absl::StatusOr<DeviceProgram> DeviceProgram::load(const std::vector<DeviceRule>& allowed) {
    if (allowed.size() > kMostRules) return invalidArgument("more than 1000 device rules");
    std::vector<bpf_insn> program;
    appendPrologue(program);
    for (const DeviceRule& rule : allowed) appendRule(program, rule);
    appendAnswer(program, 0);
    UniqueFd loaded(
        ::bpf_prog_load(BPF_PROG_TYPE_CGROUP_DEVICE, "hs_devices", "GPL", program.data(), program.size(), nullptr));
    if (!loaded.valid()) return errnoStatus(errno, "load the BPF program for devices");
    return DeviceProgram(std::move(loaded));
}

absl::Status DeviceProgram::attach(const std::string& v2_directory) const {
    HS_ASSIGN_OR_RETURN(const UniqueFd group, openFile(v2_directory, O_RDONLY | O_DIRECTORY));
    // Without flags the group's own program is replaced, and groups below can have no say of their own.
    if (::bpf_prog_attach(program_.get(), group.get(), BPF_CGROUP_DEVICE, 0) == 0) return absl::OkStatus();
    return errnoStatus(errno, "attach the BPF program for devices to " + v2_directory);
}

}  // namespace homeslice::sys
