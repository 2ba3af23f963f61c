// A stock Debian 12 machine in QEMU: Linux 6.1, systemd, cgroup v2 alone. It knows no KVM, so all takes several times
// as long as outside.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>

#include "tests/support/command.h"

namespace homeslice::testing_support {

// Made from the image that tests/vm/build-image built, with the archive of tests/vm/pack unpacked at its first boot.
// Has eth0 with fd00:51ce::1, and no way out of the machine that it runs on. One thread.
class Machine {
public:
    // Whether there are QEMU and the image.
    static bool isAvailable();

    Machine();
    ~Machine();  // power off, disk and all removed
    Machine(const Machine&) = delete;
    Machine& operator=(const Machine&) = delete;

    // Switches it on and waits until it takes commands. False when it did not within some minutes; console() tells.
    bool boot();
    // As pulling the plug: what was not on the disk is lost.
    void cutPower();

    // A line for root's shell. 255: no connection.
    CommandResult run(const std::string& line, std::chrono::seconds timeout = std::chrono::seconds(300)) const;

    // What it printed on its console since the last boot.
    std::string console() const;

private:
    void start();
    bool answers() const;
    std::string file(const std::string& name) const { return directory_ + "/" + name; }

    std::string directory_;
    int ssh_port_ = 0;
    pid_t qemu_ = 0;
    bool unpacked_ = false;
};

}  // namespace homeslice::testing_support
