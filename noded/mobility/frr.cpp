#include "noded/mobility/frr.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "base/file.h"

namespace homeslice::mobility {
namespace {

const std::string kPrograms = "/usr/lib/frr/";

std::string configurationOf(const FrrRouter::Config& config) {
    std::string text = "router bgp " + std::to_string(config.as) + "\n bgp router-id " + config.router_id +
                       "\n no bgp ebgp-requires-policy\n no bgp default ipv4-unicast\n";
    for (const std::string& neighbour : config.neighbours)
        text += " neighbor " + neighbour + " remote-as " + std::to_string(config.neighbours_as) + "\n neighbor " +
                neighbour + " timers 1 3\n neighbor " + neighbour + " timers connect 1\n";
    text += " address-family ipv6 unicast\n";
    for (const std::string& neighbour : config.neighbours) text += "  neighbor " + neighbour + " activate\n";
    if (config.announces_kernel_routes) text += "  redistribute kernel\n";
    return text + " exit-address-family\n";
}

// The daemons give root up.
void giveToFrr(const std::string& path) {
    const passwd* const user = ::getpwnam("frr");
    ASSERT_NE(user, nullptr) << "the package frr is missing";
    EXPECT_EQ(::chown(path.c_str(), user->pw_uid, user->pw_gid), 0);
}

void awaitFile(const std::string& path) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (::access(path.c_str(), F_OK) != 0 && std::chrono::steady_clock::now() < deadline)
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_EQ(::access(path.c_str(), F_OK), 0) << path;
}

}  // namespace

FrrRouter::FrrRouter(const TestHost& host, const Config& config) {
    directory_ = "/tmp/hst-frr-XXXXXX";
    EXPECT_NE(::mkdtemp(directory_.data()), nullptr);
    giveToFrr(directory_);
    start(host, "zebra", "");
    awaitFile(directory_ + "/zserv.api");
    start(host, "bgpd", configurationOf(config));
}

FrrRouter::~FrrRouter() {
    kill();
    std::filesystem::remove_all(directory_);
}

void FrrRouter::kill() {
    for (const pid_t daemon : daemons_) {
        ::kill(daemon, SIGKILL);
        ::waitpid(daemon, nullptr, 0);
        // Where FRR keeps what a crash would leave.
        for (const char* name : {"zebra", "bgpd"})
            std::filesystem::remove_all(std::string("/var/tmp/frr/") + name + "." + std::to_string(daemon));
    }
    daemons_.clear();
}

void FrrRouter::start(const TestHost& host, const std::string& daemon, const std::string& configuration) {
    const std::string file = directory_ + "/" + daemon + ".conf";
    ASSERT_TRUE(replaceFile(file, configuration).ok());
    giveToFrr(file);
    std::vector<std::string> words{
        kPrograms + daemon, "-f",       file, "-i", directory_ + "/" + daemon + ".pid", "-z", directory_ + "/zserv.api",
        "--vty_socket",     directory_, "-P", "0"};
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    for (const int fd : {STDOUT_FILENO, STDERR_FILENO})
        ::posix_spawn_file_actions_addopen(&actions, fd, (directory_ + "/" + daemon + ".log").c_str(),
                                           O_WRONLY | O_CREAT | O_APPEND, 0644);
    host.run([&] {
        pid_t pid = 0;
        ASSERT_EQ(::posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), environ), 0) << daemon;
        daemons_.push_back(pid);
    });
    ::posix_spawn_file_actions_destroy(&actions);
}

}  // namespace homeslice::mobility
