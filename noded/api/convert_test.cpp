#include "noded/api/convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <functional>

#include "base/status.h"
#include "base/utf8.h"
#include "noded/api/binding_convert.h"
#include "noded/api/channel.h"
#include "noded/api/grpc_status.h"

namespace homeslice::api {
namespace {

using testing::HasSubstr;

std::string raw(const std::string& text) { return Ipv6Address::parse(text).value().toBytes(); }

v1::DesiredState goodPicture() {
    v1::DesiredState message;
    message.set_revision(9);
    message.set_home_prefix("fd51:1ce::/48");
    message.add_node_addresses(raw("fd00::1"));
    message.add_home_agents()->set_address(raw("fd00::a0a0"));
    message.mutable_home_agents(0)->set_api_port(7401);
    v1::DesiredSliver& sliver = *message.add_slivers();
    sliver.mutable_sliver()->set_slice("web");
    sliver.mutable_sliver()->set_index(2);
    sliver.set_generation(7);
    sliver.set_run(v1::DESIRED_RUN_RUNNING);
    sliver.mutable_base()->set_image("debian");
    sliver.mutable_base()->set_image_digest("sha256:" + std::string(64, 'a'));
    sliver.mutable_base()->add_argv("nginx");
    sliver.mutable_base()->mutable_resources()->set_pids(64);
    sliver.mutable_base()->add_exposed()->set_protocol(v1::PROTOCOL_TCP);
    sliver.mutable_base()->mutable_exposed(0)->set_port(80);
    sliver.set_home_address(raw("fd51:1ce::1:2"));
    sliver.set_slice_address(raw("fd51:1ce::1"));
    sliver.mutable_disk_source()->set_address(raw("fd00::2"));
    sliver.mutable_disk_source()->set_api_port(7401);
    sliver.mutable_disk_source()->set_generation(6);
    return message;
}

TEST(Convert, DesiredPicture) {
    const auto picture = desiredPictureOf(goodPicture());
    ASSERT_TRUE(picture.ok()) << picture.status();
    EXPECT_EQ(picture->desired.revision, 9U);
    EXPECT_EQ(picture->network.home_prefix.toString(), "fd51:1ce::/48");
    ASSERT_EQ(picture->network.home_agents.size(), 1U);
    EXPECT_EQ(picture->network.home_agents[0].api_port, 7401);
    ASSERT_EQ(picture->desired.slivers.size(), 1U);
    const SliverSpec& spec = picture->desired.slivers[0];
    EXPECT_EQ(spec.id.toString(), "web/2");
    EXPECT_EQ(spec.run, DesiredRun::running);
    EXPECT_EQ(spec.base.exposed, (std::vector<ExposedPort>{{.protocol = IPPROTO_TCP, .port = 80}}));
    EXPECT_EQ(spec.home_address.toString(), "fd51:1ce::1:2");
    ASSERT_TRUE(spec.disk_source.has_value());
    EXPECT_EQ(spec.disk_source->node.toString(), "fd00::2");
}

TEST(Convert, OneMalformedFieldRefusesThePicture) {
    using Breaks = std::function<void(v1::DesiredState&, v1::DesiredSliver&)>;
    const std::vector<std::pair<std::string, Breaks>> cases = {
        {"home prefix", [](auto& state, auto&) { state.set_home_prefix("fd51::1/48"); }},
        {"home prefix", [](auto& state, auto&) { state.set_home_prefix(""); }},
        {"home prefix", [](auto& state, auto&) { state.set_home_prefix("fd51::/65"); }},
        {"node address", [](auto& state, auto&) { state.add_node_addresses("short"); }},
        {"node address", [](auto& state, auto&) { state.add_node_addresses(raw("ff02::1")); }},
        {"home agent", [](auto& state, auto&) { state.mutable_home_agents(0)->set_api_port(65536); }},
        {"home agent", [](auto& state, auto&) { state.mutable_home_agents(0)->set_address(raw("::")); }},
        {"slice name", [](auto&, auto& sliver) { sliver.mutable_sliver()->set_slice("../etc"); }},
        {"index", [](auto&, auto& sliver) { sliver.mutable_sliver()->set_index(0); }},
        {"index", [](auto&, auto& sliver) { sliver.mutable_sliver()->set_index(65536); }},
        {"run", [](auto&, auto& sliver) { sliver.set_run(v1::DESIRED_RUN_UNSPECIFIED); }},
        {"run", [](auto&, auto& sliver) { sliver.set_run(static_cast<v1::DesiredRun>(77)); }},
        {"image name", [](auto&, auto& sliver) { sliver.mutable_base()->set_image("a/b"); }},
        {"digest",
         [](auto&, auto& sliver) { sliver.mutable_base()->set_image_digest("sha256:" + std::string(63, 'a')); }},
        {"digest",
         [](auto&, auto& sliver) { sliver.mutable_base()->set_image_digest("sha256:" + std::string(64, '/')); }},
        {"argv", [](auto&, auto& sliver) { sliver.mutable_base()->add_argv(std::string("a\0b", 3)); }},
        {"argv", [](auto&, auto& sliver) { sliver.mutable_base()->add_argv(std::string(200'000, 'x')); }},
        {"cpu_millis",
         [](auto&, auto& sliver) { sliver.mutable_base()->mutable_resources()->set_cpu_millis(4'000'000'000); }},
        {"memory_bytes",
         [](auto&, auto& sliver) { sliver.mutable_base()->mutable_resources()->set_memory_bytes(~uint64_t{0}); }},
        {"pids", [](auto&, auto& sliver) { sliver.mutable_base()->mutable_resources()->set_pids(~0U); }},
        {"port", [](auto&, auto& sliver) { sliver.mutable_base()->mutable_exposed(0)->set_port(0); }},
        {"protocol",
         [](auto&, auto& sliver) {
             sliver.mutable_base()->mutable_exposed(0)->set_protocol(v1::PROTOCOL_UNSPECIFIED);
         }},
        {"home address", [](auto&, auto& sliver) { sliver.set_home_address(raw("fd52::1")); }},
        {"slice address", [](auto&, auto& sliver) { sliver.clear_slice_address(); }},
        {"disk source", [](auto&, auto& sliver) { sliver.mutable_disk_source()->clear_api_port(); }},
        {"twice", [](auto& state, auto& sliver) { *state.add_slivers() = v1::DesiredSliver(sliver); }},
    };
    for (const auto& [expected, breaks] : cases) {
        v1::DesiredState message = goodPicture();
        breaks(message, *message.mutable_slivers(0));
        const auto picture = desiredPictureOf(message);
        ASSERT_FALSE(picture.ok()) << expected;
        EXPECT_THAT(messageOf(picture.status()), HasSubstr(expected));
    }
}

TEST(Convert, ExecStart) {
    v1::ExecStart message;
    message.mutable_sliver()->set_slice("web");
    message.mutable_sliver()->set_index(1);
    EXPECT_THAT(messageOf(execStartOf(message).status()), HasSubstr("argv"));
    message.add_argv("sh");
    message.add_env("A=b");
    message.set_working_directory("/tmp");
    ASSERT_TRUE(execStartOf(message).ok());
    message.set_working_directory("tmp");
    EXPECT_THAT(messageOf(execStartOf(message).status()), HasSubstr("working directory"));
    message.clear_working_directory();
    message.add_env("=b");
    EXPECT_THAT(messageOf(execStartOf(message).status()), HasSubstr("env"));
}

TEST(Convert, ReportsAreAlwaysUtf8) {
    sliver::SliverReport report;
    report.id = {.slice = "web", .index = 1};
    report.state = sliver::State::exited;
    report.exit_status = 137;
    report.reason = "no such \xff file";
    const v1::SliverStatus message = toMessage(report);
    EXPECT_EQ(message.state(), v1::SLIVER_STATE_EXITED);
    EXPECT_EQ(message.exit_status(), 137U);
    EXPECT_EQ(message.reason(), "no such ? file");
    EXPECT_EQ(asUtf8("gr\xc3\xbc\xc3\x9f, \xf0\x9f\x9a\x80"), "gr\xc3\xbc\xc3\x9f, \xf0\x9f\x9a\x80");
    EXPECT_EQ(asUtf8("\xed\xa0\x80 \xc0\x80 \xf5 \xc3"), "??? ?? ? ?");
}

TEST(Convert, BindingUpdatesThereAndBack) {
    const mobility::BindingUpdate update{
        .key = {.home_address = Ipv6Address::parse("fd51::1").value(), .binding_id = 3},
        .care_of_address = Ipv6Address::parse("fd00::1").value(),
        .terms = {.priority = 1, .weight = 1000, .draining = true},
        .sequence = 65535,
        .generation = 5,
        .lifetime_s = 40};
    const auto back = bindingUpdateOf(toMessage(update));
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(back->key, update.key);
    EXPECT_EQ(back->sequence, 65535);
    EXPECT_EQ(back->terms, update.terms);

    v1::BindingUpdate message = toMessage(update);
    message.set_sequence(65536);
    EXPECT_FALSE(bindingUpdateOf(message).ok());
    message = toMessage(update);
    message.set_binding_id(70000);
    EXPECT_FALSE(bindingUpdateOf(message).ok());
    message = toMessage(update);
    message.set_lifetime_s(262141);
    EXPECT_FALSE(bindingUpdateOf(message).ok());
    message = toMessage(update);
    message.set_care_of_address("x");
    EXPECT_FALSE(bindingUpdateOf(message).ok());
    message = toMessage(update);
    message.mutable_terms()->set_priority(128);
    EXPECT_FALSE(bindingUpdateOf(message).ok());
    message = toMessage(update);
    message.mutable_terms()->set_weight(1001);
    EXPECT_FALSE(bindingUpdateOf(message).ok());
    message.clear_terms();
    EXPECT_EQ(bindingUpdateOf(message)->terms, mobility::BindingTerms{}) << "what is not said is the default";
}

TEST(Convert, BindingEvents) {
    const auto now = Monotonic::now();
    mobility::BindingEvent event;
    event.binding.key.home_address = Ipv6Address::parse("fd51::1").value();
    event.binding.care_of_address = Ipv6Address::parse("fd00::1").value();
    event.binding.expires = now + std::chrono::milliseconds(1500);
    const v1::BindingEvent message =
        toMessage(event, {.counters = {.packets = 1, .bytes = 2}, .round_trip = std::chrono::milliseconds(3)}, now);
    EXPECT_EQ(message.bound().remaining_s(), 2U);
    EXPECT_EQ(message.bound().forwarded_bytes(), 2U);
    EXPECT_EQ(message.bound().round_trip_us(), 3000U);
    EXPECT_EQ(bindingEventOf(message, now)->binding.expires, now + std::chrono::seconds(2));
    EXPECT_FALSE(bindingEventOf(v1::BindingEvent(), now).ok());
    v1::BindingAcknowledgement acknowledgement;
    acknowledgement.set_home_address(raw("fd51::1"));
    acknowledgement.set_status(static_cast<v1::BindingStatus>(77));
    EXPECT_FALSE(acknowledgementOf(acknowledgement).ok());
}

TEST(Convert, PeersOfGrpc) {
    EXPECT_EQ(addressOfPeer("ipv6:%5Bfd00::1%5D:4711")->toString(), "fd00::1");
    EXPECT_EQ(addressOfPeer("ipv6:[fd00::1]:4711")->toString(), "fd00::1");
    EXPECT_EQ(addressOfPeer("ipv6:%5Bfe80::1%25eth0%5D:4711")->toString(), "fe80::1");
    EXPECT_EQ(addressOfPeer("ipv4:10.0.0.1:4711")->toString(), "::ffff:10.0.0.1");
    EXPECT_EQ(targetOf(*addressOfPeer("ipv4:10.0.0.1:4711"), 7401), "ipv4:10.0.0.1:7401");
    EXPECT_EQ(targetOf(*addressOfPeer("ipv6:[fd00::1]:4711"), 7401), "ipv6:[fd00::1]:7401");
    for (const char* bad :
         {"", "ipv4:", "ipv4:10.0.0:4711", "ipv4:10.0.0.1", "unix:/run/x", "ipv6:[fd00::1", "ipv6:%5", "ipv6:[]:1"}) {
        EXPECT_FALSE(addressOfPeer(bad).ok()) << bad;
    }
}

TEST(Convert, StatusKeepsCodeAndText) {
    const absl::Status status = failedPrecondition("not stopped");
    EXPECT_EQ(fromGrpc(toGrpc(status)).code(), status.code());
    EXPECT_EQ(messageOf(fromGrpc(toGrpc(status))), "not stopped");
    EXPECT_TRUE(fromGrpc(grpc::Status::OK).ok());
    EXPECT_EQ(toGrpc(status).error_code(), grpc::StatusCode::FAILED_PRECONDITION);
}

}  // namespace
}  // namespace homeslice::api
