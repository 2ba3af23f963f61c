#include "ctl/lab/network.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <thread>

#include "base/file.h"
#include "base/ipv4.h"
#include "base/status.h"
#include "ctl/client/cancellation.h"
#include "ctl/commands/child.h"
#include "ctl/lab/mounts.h"

namespace homeslice::ctl::lab {
namespace {

constexpr const char* kNetnsDirectory = "/run/netns";

std::string pathOf(const std::string& name) { return std::string(kNetnsDirectory) + "/" + name; }

// The ip program of iproute2.
absl::Status ip(const std::vector<std::string>& arguments) {
    Cancellation never;
    std::vector<std::string> argv{"/bin/ip"};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    std::string words;
    for (const std::string& word : argv) words += (words.empty() ? "" : " ") + word;
    return withContext(runChild(argv, never, [](const std::string&) {}), words);
}

absl::Status inNamespace(const std::string& name, const std::vector<std::string>& arguments) {
    std::vector<std::string> all{"-n", name};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return ip(all);
}

// In a thread of its own: /proc/sys/net shows the namespace of the thread that looks, and its children inherit it.
absl::Status runInside(const std::string& name, const std::function<absl::Status()>& work) {
    HS_ASSIGN_OR_RETURN(const UniqueFd netns, openNamespace(name));
    absl::Status status;
    std::thread([&] {
        status = ::setns(netns.get(), CLONE_NEWNET) == 0 ? work() : errnoStatus(errno, "setns(" + name + ")");
    }).join();
    return status;
}

// Addresses are usable at once: nobody else is on this link, so duplicate address detection has nothing to find.
absl::Status skipDuplicateAddressDetection(const std::string& name) {
    return runInside(name, [] {
        HS_RETURN_IF_ERROR(writeControlFile("/proc/sys/net/ipv6/conf/all/accept_dad", "0"));
        return writeControlFile("/proc/sys/net/ipv6/conf/default/accept_dad", "0");
    });
}

absl::Status makeBridge(const std::string& name) {
    HS_RETURN_IF_ERROR(inNamespace(name, {"link", "add", kBridge, "type", "bridge"}));
    return inNamespace(name, {"link", "set", kBridge, "mtu", std::to_string(kMtu), "up"});
}

absl::Status makeSwitch() {
    HS_RETURN_IF_ERROR(ip({"netns", "add", kSwitchNamespace}));
    return makeBridge(kSwitchNamespace);
}

absl::Status connectToSwitch(const Host& host) {
    const std::string mtu = std::to_string(kMtu);
    const std::string there = host.behind_nat ? std::string(kNamespacePrefix) + kNat : kSwitchNamespace;
    HS_RETURN_IF_ERROR(inNamespace(there, {"link", "add", host.name, "mtu", mtu, "type", "veth", "peer", "name", kLink,
                                           "mtu", mtu, "netns", host.netns()}));
    return inNamespace(there, {"link", "set", host.name, "master", kBridge, "up"});
}

absl::Status addAddress(const std::string& name, const Ipv6Address& address) {
    const std::string length = std::to_string(isIpv4(address) ? kIpv4UnderlayLength : kUnderlayLength);
    std::vector<std::string> arguments{"addr", "add", addressText(address) + "/" + length, "dev", kLink};
    if (!isIpv4(address)) arguments.push_back("nodad");
    return inNamespace(name, arguments);
}

// What comes from its bridge leaves under its own address, from a port at random; from outside come answers alone.
absl::Status translate(const Host& nat) {
    HS_RETURN_IF_ERROR(makeBridge(nat.netns()));
    const std::string inside = std::string(kNatInside) + "/" + std::to_string(kIpv4UnderlayLength);
    HS_RETURN_IF_ERROR(inNamespace(nat.netns(), {"addr", "add", inside, "dev", kBridge}));
    const std::string rules =
        std::string("table ip lab {\n") + "chain leave {\ntype nat hook postrouting priority srcnat\noifname " + kLink +
        " masquerade random\n}\n" + "chain pass {\ntype filter hook forward priority filter\niifname " + kLink +
        " ct state != { established, related } drop\n}\n}\n";
    return runInside(nat.netns(), [&] {
        HS_RETURN_IF_ERROR(writeControlFile("/proc/sys/net/ipv4/ip_forward", "1"));
        Cancellation never;
        return withContext(runChild({"/usr/sbin/nft", rules}, never, [](const std::string&) {}), "nft");
    });
}

absl::Status makeHost(const Plan& plan, const Host& host) {
    HS_RETURN_IF_ERROR(ip({"netns", "add", host.netns()}));
    HS_RETURN_IF_ERROR(skipDuplicateAddressDetection(host.netns()));
    HS_RETURN_IF_ERROR(connectToSwitch(host));
    HS_RETURN_IF_ERROR(inNamespace(host.netns(), {"link", "set", "lo", "up"}));
    HS_RETURN_IF_ERROR(inNamespace(host.netns(), {"link", "set", kLink, "up"}));
    for (const Ipv6Address& address : host.addresses) HS_RETURN_IF_ERROR(addAddress(host.netns(), address));
    if (host.name == kNat) return translate(host);
    if (host.behind_nat) return inNamespace(host.netns(), {"route", "add", "default", "via", kNatInside});
    if (!host.routes_home) return absl::OkStatus();
    return inNamespace(host.netns(), {"route", "add", plan.home_prefix.toString(), "via",
                                      plan.home_agent_address.toString(), "dev", kLink});
}

bool isEmpty(const std::string& directory) {
    std::error_code error;
    return std::filesystem::is_empty(directory, error) && !error;
}

}  // namespace

absl::Status makeNetwork(const Plan& plan) {
    HS_RETURN_IF_ERROR_CTX(makeSwitch(), "make the lab's switch");
    for (const Host& host : plan.hosts) {
        HS_RETURN_IF_ERROR_CTX(makeHost(plan, host), "make the lab's host " + host.name);
    }
    return absl::OkStatus();
}

absl::StatusOr<UniqueFd> openNamespace(const std::string& name) { return openFile(pathOf(name), O_RDONLY); }

std::vector<std::string> labNamespaces() {
    std::vector<std::string> names;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(kNetnsDirectory, error)) {
        const std::string name = entry.path().filename().string();
        if (name.starts_with(kNamespacePrefix)) names.push_back(name);
    }
    std::sort(names.begin(), names.end());
    return names;
}

absl::Status removeNamespace(const std::string& name) { return ip({"netns", "del", name}); }

bool isNetnsDirectoryMounted() {
    const absl::StatusOr<std::vector<Mount>> mounts = listMounts();
    return mounts.ok() && std::any_of(mounts->begin(), mounts->end(),
                                      [](const Mount& mount) { return mount.point == kNetnsDirectory; });
}

void releaseNetnsDirectory() {
    if (!isEmpty(kNetnsDirectory)) return;
    ::umount2(kNetnsDirectory, UMOUNT_NOFOLLOW);
    ::rmdir(kNetnsDirectory);
}

}  // namespace homeslice::ctl::lab
