#include "tests/vm/machine.h"

#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <sstream>
#include <system_error>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/unique_fd.h"
#include "tests/support/lab.h"

namespace homeslice::testing_support {
namespace {

const std::string kImage = HS_VM_DIRECTORY;
constexpr std::chrono::seconds kBootTimeout{240};

// One that is free now; the kernel does not give it out again soon.
int freePort() {
    const UniqueFd probe(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const plain = reinterpret_cast<sockaddr*>(&address);
    if (::bind(probe.get(), plain, size) != 0 || ::getsockname(probe.get(), plain, &size) != 0) std::abort();
    return ntohs(address.sin_port);
}

std::vector<std::string> wordsOf(const std::string& text) {
    std::istringstream stream(text);
    return {std::istream_iterator<std::string>(stream), {}};
}

std::vector<std::string> qemuCommand(const std::string& directory, int ssh_port) {
    // Without five-level page tables, which would be walked in software.
    std::vector<std::string> argv = wordsOf(
        "qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot -M q35,hpet=off -smp 2 -m 1536"
        " -accel tcg,thread=multi,tb-size=256 -cpu max,la57=off -device virtio-net-pci,netdev=link,romfile=");
    const std::string network = "user,id=link,restrict=on,hostfwd=tcp:127.0.0.1:" + std::to_string(ssh_port) + "-:22";
    // While the host is busy a kernel finds its timer and its clock wanting; it would take to a clock that costs a
    // system call of QEMU's at each look, and the machine comes to a halt.
    const std::string options =
        "root=/dev/vda rw console=ttyS0 quiet panic=-1 net.ifnames=0 mitigations=off cryptomgr.notests"
        " no_timer_check tsc=reliable";
    // What the machine wrote is then in the page cache here, which outlives QEMU: no need to wait for disks.
    const std::string disk = "if=virtio,format=raw,cache=unsafe,file=" + directory + "/disk.raw";
    const std::string programs = "if=virtio,format=raw,readonly=on,file=" + kImage + "/programs.tar";
    for (const auto& [name, value] : {std::pair("-kernel", kImage + "/vmlinuz"),
                                      {"-initrd", kImage + "/initrd.img"},
                                      {"-append", options},
                                      {"-serial", "file:" + directory + "/console"},
                                      {"-netdev", network},
                                      {"-drive", disk},
                                      {"-drive", programs}}) {
        argv.insert(argv.end(), {name, value});
    }
    return argv;
}

// The program ends with this one, however that ends.
pid_t startCompanion(const std::vector<std::string>& argv) {
    std::vector<char*> words;
    for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    const pid_t pid = ::fork();
    if (pid != 0) return pid;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::execvp(words[0], words.data());
    ::_exit(127);
}

bool hasEnded(pid_t pid) {
    siginfo_t info{};
    return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != 0;
}

}  // namespace

bool Machine::isAvailable() {
    return std::filesystem::exists(kImage + "/disk.raw") && runCommand({"qemu-system-x86_64", "--version"}).status == 0;
}

Machine::Machine() {
    std::string directory = "/var/tmp/homeslice-vm.XXXXXX";
    if (::mkdtemp(directory.data()) == nullptr) std::abort();
    directory_ = directory;
}

Machine::~Machine() {
    cutPower();
    // ssh takes its socket away when it hears of the end: what is there one moment may be gone the next.
    std::error_code error;
    eventually([&] {
        std::filesystem::remove_all(directory_, error);
        return !error;
    });
    if (error) std::cerr << "cannot remove " << directory_ << ": " << error.message() << "\n";
}

bool Machine::boot() {
    if (!std::filesystem::exists(file("disk.raw")) &&
        runCommand({"cp", "--sparse=always", kImage + "/disk.raw", file("disk.raw")}).status != 0) {
        return false;
    }
    start();
    if (!eventually([this] { return hasEnded(qemu_) || answers(); }, kBootTimeout) || hasEnded(qemu_)) return false;
    if (!unpacked_) unpacked_ = run("tar -xf /dev/vdb -C / --no-overwrite-dir").status == 0;
    return unpacked_;
}

void Machine::start() {
    ssh_port_ = freePort();
    qemu_ = startCompanion(qemuCommand(directory_, ssh_port_));
}

bool Machine::answers() const {
    constexpr int kNoConnection = 255;
    constexpr int kTimedOut = 124;
    const int status = run("systemctl is-system-running --wait", kBootTimeout).status;
    return status != kNoConnection && status != kTimedOut;
}

void Machine::cutPower() {
    if (qemu_ <= 0) return;
    ::kill(qemu_, SIGKILL);
    while (::waitpid(qemu_, nullptr, 0) < 0 && errno == EINTR) continue;
    qemu_ = 0;
}

CommandResult Machine::run(const std::string& line, std::chrono::seconds timeout) const {
    // One connection for all commands: its handshake takes a second in there.
    std::vector<std::string> argv = wordsOf(
        "ssh -o ControlMaster=auto -o ControlPersist=yes -o ConnectTimeout=10 -o ServerAliveInterval=60 -o "
        "LogLevel=ERROR"
        " -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null");
    argv.insert(argv.end(), {"-o", "ControlPath=" + file("ssh"), "-i", kImage + "/key", "-p", std::to_string(ssh_port_),
                             "root@127.0.0.1", line});
    return runCommand(argv, "", timeout);
}

std::string Machine::console() const { return readFile(file("console")).value_or(""); }

}  // namespace homeslice::testing_support
