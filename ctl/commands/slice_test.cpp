#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ctl/commands/fake_controller.h"
#include "ctl/output/value.h"
#include "rpc/status.h"

namespace homeslice::ctl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class SliceCommands : public ::testing::Test {
protected:
    SliceCommands() {
        for (uint32_t i = 1; i <= 3; ++i) controller_.addSliver("web", i, "node" + std::to_string(i));
    }

    FakeController controller_;
    const std::vector<std::string> create_{"slice", "create", "web", "--image", "debian", "--nodes", "3"};

    std::vector<std::string> createWith(std::vector<std::string> more) const {
        more.insert(more.begin(), create_.begin(), create_.end());
        return more;
    }
};

TEST_F(SliceCommands, CreateAsksForWhatWasSaid) {
    controller_.addOperationState(v1::OPERATION_STATE_DONE, 3, 3);
    const Outcome outcome = slicectl(
        controller_, createWith({"--slivers", "6", "--cpus", "1.5", "--memory", "128M", "--pids", "64", "--expose",
                                 "80/tcp,443", "--expose", "53/udp", "--lease", "7d", "--", "sh", "-c", "[a,b]"}));
    EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
    const v1::CreateSliceRequest& request = controller_.created;
    EXPECT_EQ(request.name(), "web");
    EXPECT_EQ(request.base().image(), "debian");
    EXPECT_EQ(request.node_count(), 3u);
    EXPECT_EQ(request.sliver_count(), 6u);
    EXPECT_EQ(request.base().resources().cpu_millis(), 1500u);
    EXPECT_EQ(request.base().resources().memory_bytes(), 128u << 20);
    EXPECT_EQ(request.base().resources().pids(), 64u);
    ASSERT_EQ(request.base().exposed_size(), 3);
    EXPECT_EQ(request.base().exposed(2).protocol(), v1::PROTOCOL_UDP);
    EXPECT_EQ(request.base().exposed(2).port(), 53u);
    EXPECT_EQ(request.lease_s(), 604800u);
    EXPECT_THAT(request.base().argv(), ElementsAre("sh", "-c", "[a,b]"));
    EXPECT_EQ(request.request_id().size(), 32u);
}

TEST_F(SliceCommands, CreateOnNamedNodesLeavesTheRestToTheController) {
    controller_.addOperationState(v1::OPERATION_STATE_DONE, 2, 2);
    slicectl(controller_, {"slice", "create", "web", "--image", "debian", "--on", "node1,node3"});
    EXPECT_THAT(controller_.created.nodes(), ElementsAre("node1", "node3"));
    EXPECT_EQ(controller_.created.node_count(), 0u);
    EXPECT_EQ(controller_.created.lease_s(), 0u);
    EXPECT_THAT(controller_.created.base().argv(), IsEmpty());
}

TEST_F(SliceCommands, CreateWaitsAndShowsTheSlice) {
    controller_.addOperationState(v1::OPERATION_STATE_RUNNING, 1, 3);
    controller_.addOperationState(v1::OPERATION_STATE_DONE, 3, 3);
    const Outcome outcome = slicectl(controller_, create_);
    EXPECT_EQ(outcome.exit_status, 0);
    EXPECT_EQ(outcome.err, "slice web: 3 slivers run, after 0.41 s\n");
    EXPECT_THAT(outcome.out, HasSubstr("fd51:1ce:0:7::1\n"));
    EXPECT_THAT(outcome.out, HasSubstr("web/3    node3   running   fd51:1ce:0:7::1:3"));
}

TEST_F(SliceCommands, CreateInJsonIsTheSliceWithItsSlivers) {
    controller_.addOperationState(v1::OPERATION_STATE_DONE, 3, 3);
    const Outcome outcome = slicectl(controller_, createWith({"-o", "json"}));
    const Value value = Value::parse(outcome.out);
    EXPECT_EQ(value.at("address"), "fd51:1ce:0:7::1");
    EXPECT_EQ(value.at("resources").at("memory_bytes"), 128 << 20);
    EXPECT_EQ(value.at("exposed"), Value::array({"80/tcp"}));
    EXPECT_EQ(value.at("lease_end"), "2026-01-02T03:04:05.000Z");
    EXPECT_EQ(value.at("created"), nullptr);
    EXPECT_EQ(value.at("placement").at(2).at("id"), "web/3");
    EXPECT_EQ(value.at("placement").at(2).at("state"), "running");
}

TEST_F(SliceCommands, NoWaitAnswersTheOperation) {
    const Outcome outcome = slicectl(controller_, createWith({"--no-wait", "-o", "json"}));
    EXPECT_EQ(outcome.exit_status, 0);
    EXPECT_EQ(Value::parse(outcome.out).at("id"), "op-1");
}

TEST_F(SliceCommands, PartialSuccessIsTwoAndSaysWhy) {
    controller_.addOperationState(v1::OPERATION_STATE_PARTIAL, 2, 3);
    v1::OperationFailure* const failure = controller_.operation_states.back().add_failures();
    failure->mutable_sliver()->set_slice("web");
    failure->mutable_sliver()->set_index(3);
    failure->set_node("node3");
    failure->set_reason("no space left");
    const Outcome outcome = slicectl(controller_, create_);
    EXPECT_EQ(outcome.exit_status, 2);
    EXPECT_EQ(outcome.err,
              "slice web: partly failed after 0.41 s: 2 of 3 done\nslicectl: web/3 on node3: no space left\n");
}

TEST_F(SliceCommands, FailureIsOne) {
    controller_.addOperationState(v1::OPERATION_STATE_FAILED, 0, 3);
    const Outcome outcome = slicectl(controller_, create_);
    EXPECT_EQ(outcome.exit_status, 1);
    EXPECT_THAT(outcome.out, IsEmpty());
}

TEST_F(SliceCommands, RefusalsKeepTheControllersWords) {
    const std::vector<std::pair<grpc::StatusCode, int>> codes{
        {grpc::StatusCode::INVALID_ARGUMENT, 1},    {grpc::StatusCode::RESOURCE_EXHAUSTED, 2},
        {grpc::StatusCode::NOT_FOUND, 3},           {grpc::StatusCode::ALREADY_EXISTS, 4},
        {grpc::StatusCode::FAILED_PRECONDITION, 4}, {grpc::StatusCode::ABORTED, 4},
        {grpc::StatusCode::UNAVAILABLE, 1}};
    for (const auto& [code, exit_status] : codes) {
        controller_.refusal = rpc::toGrpc({static_cast<absl::StatusCode>(code), "because\nof this"});
        const Outcome outcome = slicectl(controller_, create_);
        EXPECT_EQ(outcome.exit_status, exit_status);
        EXPECT_EQ(outcome.err, "slicectl: because of this\n");
    }
}

TEST_F(SliceCommands, TimeoutIs124AndTheOperationGoesOn) {
    controller_.addOperationState(v1::OPERATION_STATE_RUNNING, 1, 3);
    controller_.hold_operation = true;
    const Outcome outcome = slicectl(controller_, createWith({"--timeout", "1s"}));
    EXPECT_EQ(outcome.exit_status, 124);
    EXPECT_EQ(outcome.err, "slicectl: slice web: not done after 1s; it goes on, see: slicectl slice show web\n");
}

TEST_F(SliceCommands, RemoveWaits) {
    controller_.addOperationState(v1::OPERATION_STATE_DONE, 3, 3);
    const Outcome outcome = slicectl(controller_, {"slice", "rm", "web"});
    EXPECT_EQ(outcome.exit_status, 0);
    EXPECT_EQ(controller_.deleted, "web");
    EXPECT_EQ(outcome.err, "slice web: gone, after 0.41 s\n");
}

TEST_F(SliceCommands, RenewCountsFromNow) {
    EXPECT_EQ(slicectl(controller_, {"slice", "renew", "web", "--lease", "2h"}).exit_status, 0);
    EXPECT_EQ(controller_.renewed.lease_s(), 7200u);
    EXPECT_EQ(slicectl(controller_, {"slice", "renew", "web"}).exit_status, 0);
    EXPECT_EQ(controller_.renewed.lease_s(), 0u);
}

TEST_F(SliceCommands, ShowOfNothingIsThree) {
    const Outcome outcome = slicectl(controller_, {"slice", "show", "nothing"});
    EXPECT_EQ(outcome.exit_status, 3);
    EXPECT_EQ(outcome.err, "slicectl: no slice 'nothing'\n");
}

}  // namespace
}  // namespace homeslice::ctl
