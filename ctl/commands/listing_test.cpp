#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/ipv4.h"
#include "base/nat.h"
#include "ctl/commands/fake_controller.h"
#include "ctl/commands/views.h"
#include "ctl/output/value.h"

namespace homeslice::ctl {
namespace {

using ::testing::HasSubstr;

TEST(Listing, Nodes) {
    FakeController controller;
    const Outcome table = slicectl(controller, {"node", "ls"});
    EXPECT_EQ(table.exit_status, 0) << table.err;
    EXPECT_THAT(table.out, HasSubstr("CARE-OF ADDRESS"));
    EXPECT_THAT(table.out, HasSubstr("node1   yes     fd00:51ce::1"));
    const Value value = Value::parse(slicectl(controller, {"-o", "json", "node", "ls"}).out);
    EXPECT_EQ(value.at(0).at("care_of_address"), "fd00:51ce::1");
    EXPECT_EQ(value.at(0).at("memory_bytes"), 4ULL << 30);
    EXPECT_THAT(slicectl(controller, {"node", "show", "node1", "-o", "yaml"}).out, HasSubstr("ready: true\n"));
    EXPECT_EQ(Value::parse(slicectl(controller, {"node", "inspect", "node1"}).out).at("links"), 3);
}

TEST(Listing, ANodeBehindANatHasItsOwnAddressAndSaysSo) {
    v1::Node node;
    node.set_care_of_address(behindNat(parseAddress("10.52.1.2").value(), "node2").toBytes());
    EXPECT_EQ(nodeValue(node).at("care_of_address"), "10.52.1.2");
    EXPECT_EQ(nodeValue(node).at("behind_nat"), true);
    v1::HomeBinding binding;
    binding.set_care_of_address(node.care_of_address());
    EXPECT_EQ(bindingValue(binding).at("care_of_address"), "10.52.1.2");
    EXPECT_EQ(bindingValue(binding).at("behind_nat"), true);
    node.set_care_of_address(parseAddress("10.51.0.1")->toBytes());
    EXPECT_EQ(nodeValue(node).at("behind_nat"), false);
}

TEST(Listing, Images) {
    FakeController controller;
    EXPECT_THAT(slicectl(controller, {"image", "ls"}).out, HasSubstr("debian   64M"));
    EXPECT_EQ(slicectl(controller, {"image", "rm", "debian"}).exit_status, 0);
    EXPECT_EQ(controller.deleted, "debian");
    controller.refusal = grpc::Status(grpc::StatusCode::FAILED_PRECONDITION, "slice web uses it");
    EXPECT_EQ(slicectl(controller, {"image", "rm", "debian"}).exit_status, 4);
}

TEST(Listing, HomeBindings) {
    FakeController controller;
    const std::string table = slicectl(controller, {"home", "ls"}).out;
    EXPECT_THAT(table, HasSubstr("fd51:1ce:0:7::1:2   fd00:51ce::1      web/2"));
    for (const char* column : {"AGE", "LIFETIME LEFT", "PACKETS", "BYTES"}) EXPECT_THAT(table, HasSubstr(column));
    const Value binding = Value::parse(slicectl(controller, {"home", "ls", "-o", "json"}).out).at(0);
    EXPECT_EQ(binding.at("forwarded_packets"), 7);
    EXPECT_EQ(binding.at("forwarded_bytes"), 4096);
    EXPECT_TRUE(binding.at("registered").is_string());
}

TEST(Listing, NothingIsAnEmptyList) {
    FakeController controller;
    EXPECT_EQ(slicectl(controller, {"slice", "ls", "-o", "json"}).out, "[]\n");
    EXPECT_THAT(slicectl(controller, {"slice", "ls"}).out, HasSubstr("SLICE   IMAGE"));
}

}  // namespace
}  // namespace homeslice::ctl
