// A btrfs of its own for a test: in a file, on a loop device, gone with this object. For tests with root.
#pragma once

#include <stdlib.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>

namespace homeslice::testing_support {

class Btrfs {
public:
    // nullptr when it cannot be made; mkfs.btrfs(8) and mount(8) have said why on stderr.
    static std::unique_ptr<Btrfs> make() {
        std::string directory = "/tmp/hst-btrfs-XXXXXX";
        if (::mkdtemp(directory.data()) == nullptr) return nullptr;
        std::unique_ptr<Btrfs> made(new Btrfs(directory));
        const std::string file = directory + "/file";
        const bool mounted =
            made->run("truncate -s 1G " + file + " && mkfs.btrfs -q " + file + " >/dev/null && mkdir " + made->path() +
                      " && mount -o loop,commit=1 " + file + " " + made->path());
        return mounted ? std::move(made) : nullptr;
    }
    ~Btrfs() { run("umount -l " + path() + " 2>/dev/null; rm -rf --one-file-system " + directory_); }
    Btrfs(const Btrfs&) = delete;
    Btrfs& operator=(const Btrfs&) = delete;

    std::string path() const { return directory_ + "/mounted"; }

    // Some kernels remove a quota group with its subvolume's last remains, some commits after the subvolume.
    bool awaitQuotaGroups(int count) const {
        const std::string is_so =
            "test $(btrfs qgroup show " + path() + " | grep -c '^0/[0-9]\\{3,\\}') = " + std::to_string(count);
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
        while (!run(is_so + " >/dev/null")) {
            if (std::chrono::steady_clock::now() > deadline) return false;
            std::this_thread::sleep_for(std::chrono::milliseconds(100));  // nobody tells
        }
        return true;
    }

private:
    explicit Btrfs(std::string directory) : directory_(std::move(directory)) {}
    static bool run(const std::string& script) { return std::system(script.c_str()) == 0; }

    std::string directory_;
};

}  // namespace homeslice::testing_support
