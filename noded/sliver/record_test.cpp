#include "noded/sliver/record.h"

#include <gtest/gtest.h>

namespace homeslice::sliver {
namespace {

Record example() {
    Record record;
    record.spec.id = {.slice = "web", .index = 2};
    record.spec.generation = 7;
    record.spec.base.argv = {"nginx", "-g", "daemon off;"};
    record.spec.home_address = Ipv6Address::parse("fd51:1ce:0:1::1:2").value();
    record.runtime.ids = {.first = 100'000'000, .count = 65536};
    record.runtime.directory = "/state/slivers/web.2";
    record.runtime.socket_directory = "/run/slivers/web.2";
    record.runtime.cgroup = "homeslice/node1/web.2";
    record.runtime.link_name = "hs-sliver1525";
    record.runtime.host_mac = {2, 0, 0, 0, 0, 1};
    record.runtime.sliver_mac = {2, 0, 0, 0, 0, 2};
    record.state = State::running;
    record.reason = "why";
    record.exit_status = 3;
    record.running_since_us = 1'700'000'000'000'000;
    record.disk_generation = 6;
    record.process = {.pid = 42, .start_time = 123456789012, .boot_id = "b"};
    return record;
}

TEST(Record, IsReadBackWhole) {
    const Record written = example();
    const auto read = parseRecord(toJson(written));
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(toJson(*read), toJson(written));
    EXPECT_EQ(read->spec, written.spec);
    EXPECT_EQ(read->process, written.process);
    EXPECT_EQ(read->runtime.sliver_mac, written.runtime.sliver_mac);
}

TEST(Record, MalformedTextIsAnError) {
    const std::string good = toJson(example());
    for (const std::string& text : {std::string(), std::string("{}"), std::string("[]"),
                                    good.substr(0, good.size() / 2), std::string("{\"spec\": 1}")}) {
        EXPECT_EQ(parseRecord(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
    }
}

TEST(Records, ABrokenOneIsKeptAndShown) {
    const auto store = store::makeMemoryStore();
    Records records(*store);
    ASSERT_TRUE(records.save(example()).ok());
    ASSERT_TRUE(store->put("slivers", "web/3", "half a rec").ok());
    ASSERT_TRUE(store->put("slivers", "what is this", "{}").ok());
    const auto loaded = records.load();
    ASSERT_TRUE(loaded.ok());
    ASSERT_EQ(loaded->size(), 2U);
    EXPECT_FALSE((*loaded)[0].broken);
    EXPECT_TRUE((*loaded)[1].broken);
    EXPECT_EQ((*loaded)[1].spec.id.toString(), "web/3");
    EXPECT_EQ((*loaded)[1].state, State::failed);
    EXPECT_NE((*loaded)[1].reason, "");
    EXPECT_EQ(store->list("slivers")->size(), 3U);
}

TEST(Records, TellWhenTheStoreFails) {
    const auto store = store::makeFailingStore();
    Records records(*store);
    EXPECT_FALSE(records.load().ok());
    EXPECT_FALSE(records.save(example()).ok());
    EXPECT_FALSE(records.erase(example().spec.id).ok());
}

}  // namespace
}  // namespace homeslice::sliver
