// What slicectl asks for when a slice's slivers are to be of a special kind, or are to change.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "ctl/commands/fake_controller.h"
#include "ctl/output/value.h"

namespace homeslice::ctl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class TemplateCommands : public ::testing::Test {
protected:
    TemplateCommands() {
        controller_.addSliver("web", 1, "node1");
        controller_.addSliver("web", 2, "node2");
        controller_.addOperationState(v1::OPERATION_STATE_DONE, 2, 2);
    }

    Outcome create(std::vector<std::string> more) {
        more.insert(more.begin(), {"slice", "create", "web", "--image", "debian", "--nodes", "2"});
        return slicectl(controller_, more);
    }
    std::string write(const std::string& name, const std::string& content) {
        EXPECT_TRUE(replaceFile(controller_.folder() + "/" + name, content).ok());
        return controller_.folder() + "/" + name;
    }

    FakeController controller_;
};

TEST_F(TemplateCommands, EveryLimitHasAnOption) {
    const Outcome outcome =
        create({"--cpus",          "1.5",   "--cpu-reserve", "0.5",  "--cpu-weight", "200", "--cpuset",       "0-1,3",
                "--memory",        "256M",  "--memory-high", "128M", "--swap",       "64M", "--pids",         "64",
                "--io-weight",     "300",   "--io-read",     "10M",  "--io-write",   "5M",  "--io-read-iops", "100",
                "--io-write-iops", "50",    "--net-out",     "100M", "--net-in",     "1G",  "--disk",         "1G",
                "--disk-medium",   "memory"});
    ASSERT_EQ(outcome.exit_status, 0) << outcome.err;
    const v1::Resources& asked = controller_.created.base().resources();
    EXPECT_EQ(asked.cpu_millis(), 1500U);
    EXPECT_EQ(asked.cpu_reservation_millis(), 500U);
    EXPECT_EQ(asked.cpu_weight(), 200U);
    EXPECT_EQ(asked.cpuset(), "0-1,3");
    EXPECT_EQ(asked.memory_bytes(), 256U << 20);
    EXPECT_EQ(asked.memory_high_bytes(), 128U << 20);
    EXPECT_EQ(asked.swap_bytes(), 64U << 20);
    EXPECT_EQ(asked.pids(), 64U);
    EXPECT_EQ(asked.io_weight(), 300U);
    EXPECT_EQ(asked.io_read_bps(), 10U << 20);
    EXPECT_EQ(asked.io_write_bps(), 5U << 20);
    EXPECT_EQ(asked.io_read_iops(), 100U);
    EXPECT_EQ(asked.io_write_iops(), 50U);
    EXPECT_EQ(asked.network_egress_bps(), 100'000'000U);
    EXPECT_EQ(asked.network_ingress_bps(), 1'000'000'000U);
    EXPECT_EQ(asked.disk_bytes(), 1U << 30);
    EXPECT_EQ(asked.disk_medium(), v1::DISK_MEDIUM_MEMORY);
}

TEST_F(TemplateCommands, BalanceIsChosenAtCreateAndLater) {
    EXPECT_EQ(create({"--balance", "round-robin"}).exit_status, 0);
    EXPECT_EQ(controller_.created.base().balance(), v1::BALANCE_ROUND_ROBIN);
    controller_.addOperationState(v1::OPERATION_STATE_DONE, 2, 2);
    EXPECT_EQ(slicectl(controller_, {"slice", "set", "web", "--balance", "least-load"}).exit_status, 0);
    EXPECT_EQ(controller_.changed.balance(), v1::BALANCE_LEAST_LOAD);
    EXPECT_EQ(controller_.changed.resources().ByteSizeLong(), 0u);
    const Outcome refused = create({"--balance", "fair"});
    EXPECT_EQ(refused.exit_status, 1);
    EXPECT_THAT(refused.err, HasSubstr("hash, round-robin, least-load or nearest"));
}

TEST_F(TemplateCommands, EnvironmentFilesVolumesAndNamesAreTaken) {
    const std::string env = write("env", "# defaults\nMODE=file\nEXTRA=1\n");
    const std::string note = write("note", "content\n");
    const Outcome outcome = create({"--env",        "MODE=line",
                                    "--env",        "EMPTY=",
                                    "--env-file",   env,
                                    "--file",       note + ":/etc/note:0600",
                                    "--volume",     "/srv/data:/data:ro",
                                    "--user",       "www-data:33",
                                    "--workdir",    "/srv",
                                    "--hostname",   "front",
                                    "--host",       "db=fd00::5",
                                    "--dns",        "fd00::53",
                                    "--dns",        "192.0.2.53",
                                    "--dns-search", "example"});
    ASSERT_EQ(outcome.exit_status, 0) << outcome.err;
    const v1::SliverTemplate& base = controller_.created.base();
    EXPECT_THAT(base.env(), ElementsAre("EXTRA=1", "MODE=line", "EMPTY=")) << "a variable's last value counts";
    ASSERT_EQ(base.files_size(), 1);
    EXPECT_EQ(base.files(0).path(), "/etc/note");
    EXPECT_EQ(base.files(0).content(), "content\n");
    EXPECT_EQ(base.files(0).mode(), 0600U);
    ASSERT_EQ(base.volumes_size(), 1);
    EXPECT_TRUE(base.volumes(0).read_only());
    EXPECT_EQ(base.user(), "www-data:33");
    EXPECT_EQ(base.working_directory(), "/srv");
    EXPECT_EQ(base.hostname(), "front");
    ASSERT_EQ(base.hosts_size(), 1);
    EXPECT_EQ(base.hosts(0).name(), "db");
    EXPECT_THAT(base.resolver().servers(), ElementsAre("fd00::53", "192.0.2.53"));
    EXPECT_THAT(base.resolver().search(), ElementsAre("example"));
}

TEST_F(TemplateCommands, PoliciesAreTaken) {
    const Outcome outcome = create({"--restart",
                                    "on-failure",
                                    "--health",
                                    "[ -f /ready ]",
                                    "--health-interval",
                                    "500ms",
                                    "--health-timeout",
                                    "250ms",
                                    "--health-failures",
                                    "2",
                                    "--health-start-period",
                                    "5s",
                                    "--stop-signal",
                                    "QUIT",
                                    "--stop-grace",
                                    "2s",
                                    "--log-size",
                                    "64K",
                                    "--log-files",
                                    "5"});
    ASSERT_EQ(outcome.exit_status, 0) << outcome.err;
    const v1::SliverTemplate& base = controller_.created.base();
    EXPECT_EQ(base.restart(), v1::RESTART_WHEN_ON_FAILURE);
    EXPECT_THAT(base.health().argv(), ElementsAre("sh", "-c", "[ -f /ready ]"));
    EXPECT_EQ(base.health().interval_ms(), 500U);
    EXPECT_EQ(base.health().timeout_ms(), 250U);
    EXPECT_EQ(base.health().failures(), 2U);
    EXPECT_EQ(base.health().start_period_ms(), 5000U);
    EXPECT_EQ(base.stop().signal(), 3U);
    EXPECT_EQ(base.stop().grace_ms(), 2000U);
    EXPECT_EQ(base.log().max_bytes(), 65536U);
    EXPECT_EQ(base.log().files(), 5U);
}

TEST_F(TemplateCommands, WhatIsWrongNeverLeaves) {
    const std::vector<std::pair<std::vector<std::string>, std::string>> cases{
        {{"--env", "MODE"}, "--env 'MODE' is not valid: use NAME=value"},
        {{"--env-file", "/nonexistent"}, "/nonexistent"},
        {{"--file", "note"}, "--file 'note' is not valid: use LOCAL:PATH"},
        {{"--file", "/nonexistent:/etc/note"}, "/nonexistent"},
        {{"--volume", "/srv"}, "--volume '/srv' is not valid"},
        {{"--volume", "srv:/srv"}, "volume: 'srv' is not an absolute path"},
        {{"--user", "a:b:c"}, "user: 'a:b:c' is not"},
        {{"--user", ""}, "--user is empty"},
        {{"--workdir", "srv"}, "working directory: 'srv' is not an absolute path"},
        {{"--hostname", "two words"}, "hostname: 'two words' is not"},
        {{"--host", "db=1.2.3.4"}, "--host 'db=1.2.3.4' is not valid"},
        {{"--dns", "one.example"}, "name server: 'one.example' is not an IP address"},
        {{"--dns-search", "a b"}, "search domain: 'a b' is not"},
        {{"--restart", "maybe"}, "--restart 'maybe' is not valid: use never, on-failure or always"},
        {{"--health", "true", "--health-interval", "1ms"}, "health interval: not between 100 ms"},
        {{"--health-failures", "0"}, "--health-failures '0' is not valid"},
        {{"--stop-signal", "PLEASE"}, "--stop-signal 'PLEASE' is not valid"},
        {{"--log-size", "1"}, "log size: 1 is under 4096"},
        {{"--log-files", "0"}, "--log-files '0' is not valid"},
        {{"--cpuset", "3-1"}, "cpuset: '3-1' is not a list"},
        {{"--cpuset", ""}, "--cpuset '' is not valid"},
        {{"--cpu-weight", "10001"}, "--cpu-weight '10001' is not valid: use a whole number from 1 to 10000"},
        {{"--cpus", "0.5", "--cpu-reserve", "1"}, "CPU reservation"},
        {{"--net-out", "100Mbit"}, "--net-out '100Mbit' is not valid"},
        {{"--disk", "1K"}, "disk_bytes: 1024 is under"},
        {{"--disk-medium", "tape"}, "--disk-medium 'tape' is not valid"}};
    for (const auto& [options, says] : cases) {
        const Outcome outcome = create(options);
        EXPECT_NE(outcome.exit_status, 0) << says;
        EXPECT_THAT(outcome.err, HasSubstr(says));
    }
    EXPECT_EQ(controller_.creations, 0);
}

TEST_F(TemplateCommands, SetAsksForWhatWasSaidOnly) {
    const Outcome outcome = slicectl(controller_, {"slice", "set", "web", "--memory", "256M", "--pids", "none"});
    EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
    EXPECT_EQ(controller_.changed.name(), "web");
    const v1::Resources& asked = controller_.changed.resources();
    EXPECT_EQ(asked.memory_bytes(), 256U << 20);
    EXPECT_TRUE(asked.has_pids());
    EXPECT_EQ(asked.pids(), 0U);
    EXPECT_FALSE(asked.has_cpu_millis());
    EXPECT_EQ(controller_.changed.request_id().size(), 32U);
    EXPECT_EQ(outcome.err, "slice web: the new settings hold for 2 slivers, after 0.41 s\n");
    EXPECT_THAT(outcome.out, HasSubstr("web/2"));
}

TEST_F(TemplateCommands, SetWantsSomethingToChange) {
    const Outcome outcome = slicectl(controller_, {"slice", "set", "web"});
    EXPECT_EQ(outcome.exit_status, 1);
    EXPECT_THAT(outcome.err, HasSubstr("say what to change"));
    EXPECT_EQ(slicectl(controller_, {"slice", "set", "web", "--disk-medium", "memory"}).exit_status, 1);
    EXPECT_EQ(controller_.changed.name(), "");
}

TEST_F(TemplateCommands, FreezeAndThawTakeASliceOrASliver) {
    EXPECT_EQ(slicectl(controller_, {"sliver", "freeze", "web"}).err,
              "slice web: 2 slivers stand still, after 0.41 s\n");
    EXPECT_TRUE(controller_.frozen.frozen());
    EXPECT_EQ(controller_.frozen.id().index(), 0U);
    EXPECT_EQ(slicectl(controller_, {"sliver", "thaw", "web/2"}).exit_status, 0);
    EXPECT_FALSE(controller_.frozen.frozen());
    EXPECT_EQ(controller_.frozen.id().index(), 2U);
    EXPECT_EQ(slicectl(controller_, {"sliver", "freeze", "web/0"}).exit_status, 1);
}

TEST_F(TemplateCommands, ShowTellsWhatWasAskedForAndNoMore) {
    v1::SliverTemplate& base = controller_.base;
    base.set_user("www-data");
    base.add_env("MODE=test");
    base.mutable_resources()->set_network_egress_bps(100'000'000);
    base.add_files()->set_path("/etc/note");
    base.set_restart(v1::RESTART_WHEN_ALWAYS);
    controller_.slivers["web"][0].set_health(v1::HEALTH_NONE);
    controller_.slivers["web"][1].set_health(v1::HEALTH_UNHEALTHY);
    controller_.slivers["web"][1].set_restarts(3);
    const std::string shown = slicectl(controller_, {"slice", "show", "web"}).out;
    for (const char* line :
         {"user:          www-data", "env:           MODE=test", "net out:       100M", "files:         /etc/note",
          "restart:       always", "unhealthy:     1", "restarts:      3"}) {
        EXPECT_THAT(shown, HasSubstr(line));
    }
    EXPECT_THAT(shown, Not(HasSubstr("net in:")));
    const Value value = Value::parse(slicectl(controller_, {"slice", "show", "web", "-o", "json"}).out);
    EXPECT_EQ(value.at("totals").at("running"), 2);
    EXPECT_EQ(value.at("restart"), "always");
    EXPECT_EQ(value.at("resources").at("network_egress_bps"), 100'000'000);
    EXPECT_EQ(value.at("placement").at(1).at("health"), "unhealthy");
    EXPECT_THAT(slicectl(controller_, {"sliver", "ls", "web", "-o", "wide"}).out, HasSubstr("   unhealthy   3  "));
}

}  // namespace
}  // namespace homeslice::ctl
