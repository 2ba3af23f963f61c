#include <gtest/gtest.h>

#include <functional>

#include "spec/test_values.h"

namespace homeslice {
namespace {

bool accepted(const std::function<void(SliverTemplate&)>& change) {
    SliverTemplate base = fullSpec().base;
    change(base);
    return check(base).ok();
}

TEST(CheckTemplate, AcceptsWhatCanBeMade) {
    EXPECT_TRUE(check(fullSpec().base).ok()) << check(fullSpec().base);
    SliverTemplate least;
    least.image = "debian";
    EXPECT_TRUE(check(least).ok());
    EXPECT_TRUE(accepted([](auto& base) { base.resources = {}; }));
    EXPECT_TRUE(accepted([](auto& base) { base.user = "1000:1000"; }));
}

TEST(CheckTemplate, RefusesWhatNoNodeCouldMake) {
    const std::vector<std::pair<const char*, std::function<void(SliverTemplate&)>>> bad = {
        {"no image", [](auto& base) { base.image.clear(); }},
        {"digest", [](auto& base) { base.image_digest = "sha256:xyz"; }},
        {"NUL in argv", [](auto& base) { base.argv = {std::string("a\0b", 3)}; }},
        {"env without =", [](auto& base) { base.env = {"MODE"}; }},
        {"env without name", [](auto& base) { base.env = {"=x"}; }},
        {"user", [](auto& base) { base.user = "a:b:c"; }},
        {"user with newline", [](auto& base) { base.user = "a\nb"; }},
        {"relative directory", [](auto& base) { base.working_directory = "srv"; }},
        {"hostname", [](auto& base) { base.hostname = "a b"; }},
        {"cpuset", [](auto& base) { base.resources.cpuset = "3-1"; }},
        {"cpuset end", [](auto& base) { base.resources.cpuset = "1,"; }},
        {"weight", [](auto& base) { base.resources.cpu_weight = 10001; }},
        {"reservation above the cap", [](auto& base) { base.resources.cpu_reservation_millis = 1501; }},
        {"memory too small to live", [](auto& base) { base.resources.memory_bytes = 4096; }},
        {"swap without memory", [](auto& base) { base.resources.memory_bytes = base.resources.memory_high_bytes = 0; }},
        {"a mark above the wall",
         [](auto& base) { base.resources.memory_high_bytes = base.resources.memory_bytes + 1; }},
        {"disk too small", [](auto& base) { base.resources.disk_bytes = 4096; }},
        {"port 0", [](auto& base) { base.exposed = {{.protocol = IPPROTO_TCP, .port = 0}}; }},
        {"port twice",
         [](auto& base) {
             base.exposed = {{.protocol = IPPROTO_TCP, .port = 80}, {.protocol = IPPROTO_TCP, .port = 80}};
         }},
        {"too little CPU", [](auto& base) { base.resources.cpu_millis = base.resources.cpu_reservation_millis = 1; }},
        {"too few processes", [](auto& base) { base.resources.pids = 1; }},
        {"a command without a name",
         [](auto& base) {
             base.argv = {"", "x"};
         }},
        {"protocol", [](auto& base) { base.exposed = {{.protocol = IPPROTO_ICMP, .port = 1}}; }},
        {"file with ..", [](auto& base) { base.files = {{.path = "/etc/../x", .content = ""}}; }},
        {"file twice",
         [](auto& base) {
             base.files = {{.path = "/a", .content = ""}, {.path = "/a", .content = ""}};
         }},
        {"file that is a directory", [](auto& base) { base.files = {{.path = "/a/", .content = ""}}; }},
        {"volume over /", [](auto& base) { base.volumes = {{.source = "/srv", .target = "/"}}; }},
        {"relative volume", [](auto& base) { base.volumes = {{.source = "srv", .target = "/srv"}}; }},
        {"health without interval", [](auto& base) { base.health.interval = std::chrono::milliseconds(0); }},
        {"health that never fails", [](auto& base) { base.health.failures = 0; }},
        {"signal", [](auto& base) { base.stop.signal = 65; }},
        {"resolver", [](auto& base) { base.resolver.servers = {"one.example"}; }},
        {"search with newline", [](auto& base) { base.resolver.search = {"a\nb"}; }},
        {"host with a space", [](auto& base) { base.hosts.front().name = "a b"; }},
        {"no log", [](auto& base) { base.log.files = 0; }},
    };
    for (const auto& [what, change] : bad) EXPECT_FALSE(accepted(change)) << what;
}

}  // namespace
}  // namespace homeslice
