#include "noded/spec/sliver_spec.h"

#include <gtest/gtest.h>
#include <netinet/in.h>

namespace homeslice {
namespace {

SliverSpec example() {
    SliverSpec spec;
    spec.id = {.slice = "web", .index = 2};
    spec.generation = 7;
    spec.run = DesiredRun::stopped;
    spec.image = "debian";
    spec.image_digest = "sha256:00";
    spec.argv = {"nginx", "-g", "daemon off;"};
    spec.resources = {.cpu_millis = 1500, .memory_bytes = 1ULL << 40, .pids = 64};
    spec.exposed = {{.protocol = IPPROTO_TCP, .port = 80}};
    spec.home_address = Ipv6Address::parse("fd51:1ce::1:2").value();
    spec.slice_address = Ipv6Address::parse("fd51:1ce::1").value();
    return spec;
}

TEST(SliverSpec, SurvivesItsRecord) {
    SliverSpec spec = example();
    EXPECT_EQ(parseSliverSpec(toJson(spec)).value(), spec);
    spec.has_disk_source = true;
    spec.disk_source = {.node = Ipv6Address::parse("fd00::1").value(), .api_port = 7401, .generation = 6};
    EXPECT_EQ(parseSliverSpec(toJson(spec)).value(), spec);
}

TEST(SliverSpec, RefusesBrokenRecords) {
    const std::string good = toJson(example());
    for (size_t length = 0; length < good.size(); ++length) {
        EXPECT_FALSE(parseSliverSpec(good.substr(0, length)).ok()) << good.substr(0, length);
    }
    EXPECT_FALSE(parseSliverSpec("[]").ok());
    EXPECT_FALSE(parseSliverSpec("{\"slice\": 1}").ok());
}

TEST(SliverId, Texts) {
    EXPECT_EQ(example().id.toString(), "web/2");
    EXPECT_EQ(example().id.fileName(), "web.2");
}

}  // namespace
}  // namespace homeslice
