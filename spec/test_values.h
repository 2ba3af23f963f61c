// For tests: a spec in which no field has its default.
#pragma once

#include <netinet/in.h>

#include "spec/sliver_spec.h"

namespace homeslice {

inline Resources fullResources() {
    return {.cpu_millis = 1500,
            .cpu_reservation_millis = 500,
            .cpu_weight = 200,
            .cpuset = "0-1,3",
            .memory_bytes = uint64_t{1} << 40,
            .memory_high_bytes = uint64_t{1} << 39,
            .swap_bytes = uint64_t{1} << 30,
            .pids = 64,
            .io_weight = 300,
            .io_read_bps = 1'000'000,
            .io_write_bps = 2'000'000,
            .io_read_iops = 100,
            .io_write_iops = 200,
            .network_egress_bps = 10'000'000,
            .network_ingress_bps = 20'000'000,
            .disk_bytes = uint64_t{1} << 30,
            .disk_medium = DiskMedium::memory};
}

inline SliverSpec fullSpec() {
    using std::chrono::milliseconds;
    SliverSpec spec;
    spec.id = {.slice = "web", .index = 2};
    spec.generation = 7;
    spec.run = DesiredRun::frozen;
    spec.base = {.image = "debian",
                 .image_digest = "sha256:" + std::string(64, 'a'),
                 .argv = {"nginx", "-g", "daemon off;"},
                 .env = {"MODE=test"},
                 .user = "www-data:www-data",
                 .working_directory = "/srv",
                 .hostname = "web",
                 .resources = fullResources(),
                 .exposed = {{.protocol = IPPROTO_TCP, .port = 80}},
                 .files = {{.path = "/etc/note", .content = std::string("\0\xff text", 7), .mode = 0600}},
                 .volumes = {{.source = "/srv/data", .target = "/data", .read_only = true}},
                 .restart = RestartWhen::on_failure,
                 .health = {.argv = {"true"},
                            .interval = milliseconds(500),
                            .timeout = milliseconds(250),
                            .start_period = milliseconds(5000),
                            .failures = 2},
                 .stop = {.signal = 3, .grace = milliseconds(2000)},
                 .hosts = {{.address = Ipv6Address::parse("fd00::5").value(), .name = "db.example"}},
                 .resolver = {.servers = {"fd00::53", "192.0.2.53"}, .search = {"example"}},
                 .log = {.max_bytes = 65536, .files = 5},
                 .balance = Balance::least_load};
    spec.home_address = Ipv6Address::parse("fd51:1ce::1:2").value();
    spec.weight = 7;
    spec.draining = true;
    spec.slice_address = Ipv6Address::parse("fd51:1ce::1").value();
    spec.disk_source = {.node = Ipv6Address::parse("fd00::1").value(), .api_port = 7401, .generation = 6};
    return spec;
}

}  // namespace homeslice
