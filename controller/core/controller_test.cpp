#include "controller/core/controller.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/core/test_world.h"

namespace homeslice::controller {
namespace {

using ::testing::HasSubstr;
using testing_support::FakeNode;
using testing_support::FakeSession;
using testing_support::TestWorld;

constexpr std::chrono::seconds kDay = std::chrono::hours(24);

TEST(Controller, ASliceComesUp) {
    TestWorld world;
    world.addLab(3);
    const auto operation = world.create("web", {"node1", "node2", "node3"});
    ASSERT_TRUE(operation.ok()) << operation.status();
    EXPECT_EQ(operation->state, OperationState::running);
    EXPECT_EQ(operation->total, 3U);
    const SliverSpec* desired = world.node("node2").desired({"web", 2});
    ASSERT_NE(desired, nullptr);
    EXPECT_EQ(desired->home_address.toString(), "fd51:1ce:0:1::1:2");
    EXPECT_EQ(desired->slice_address.toString(), "fd51:1ce:0:1::1");
    EXPECT_EQ(desired->run, DesiredRun::running);
    world.obey("node1");
    world.obey("node2");
    EXPECT_EQ(world.controller().slice("web")->running, 2U);
    EXPECT_EQ(world.operation(operation->id).state, OperationState::running);
    world.obey("node3");
    EXPECT_EQ(world.operation(operation->id).state, OperationState::done);
    EXPECT_EQ(world.controller().sliver({"web", 3})->state, SliverState::running);
}

TEST(Controller, SliversThatFailAreListed) {
    TestWorld world;
    world.addLab(2);
    const auto operation = world.create("web", {"node1", "node2"});
    world.obey("node1");
    world.node("node2").obey();
    world.node("node2").slivers[{"web", 2}].state = SliverState::failed;
    world.node("node2").slivers[{"web", 2}].reason = "no space";
    world.report("node2");
    const Operation ended = world.operation(operation->id);
    EXPECT_EQ(ended.state, OperationState::partial);
    ASSERT_EQ(ended.failures.size(), 1U);
    EXPECT_EQ(ended.failures[0], (OperationFailure{{"web", 2}, "node2", "no space"}));
}

TEST(Controller, ACreationGoesOnAfterARestart) {
    TestWorld world;
    world.addLab(1);
    const auto operation = world.create("web", {"node1"});
    world.restart();
    world.settle();
    EXPECT_EQ(world.operation(operation->id).state, OperationState::done);
}

TEST(Controller, ARepeatedRequestAnswersTheFirstOperation) {
    TestWorld world;
    world.addLab(1);
    const auto first = world.create("web", {"node1"}, "id-1");
    const auto again = world.create("web", {"node1"}, "id-1");
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(again->id, first->id);
    EXPECT_EQ(world.create("web", {"node1"}, "id-2").status().code(), absl::StatusCode::kAlreadyExists);
    EXPECT_EQ(world.create("db", {"node1"}, "id-1").status().code(), absl::StatusCode::kInvalidArgument);
    world.settle();
    const auto deletion = world.controller().deleteSlice("web", "id-3");
    world.settle();
    world.restart();
    EXPECT_EQ(world.controller().deleteSlice("web", "id-3")->id, deletion->id) << "though the slice is gone";
}

TEST(Controller, RefusesWhatCannotBe) {
    TestWorld world;
    world.addLab(1);
    world.addNode("ha", true);
    const auto code = [&world](const std::function<void(CreateSliceRequest&)>& spoil) {
        CreateSliceRequest request;
        request.name = "web";
        request.base.image = "busybox";
        request.where.node_count = 1;
        spoil(request);
        return world.controller().createSlice(request).status().code();
    };
    using Request = CreateSliceRequest;
    EXPECT_EQ(code([](Request& r) { r.name = "Web"; }), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(code([](Request& r) { r.name = ""; }), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(code([](Request& r) { r.base.image = "debian"; }), absl::StatusCode::kNotFound);
    EXPECT_EQ(code([](Request& r) { r.where = {0, {"node9"}, 0}; }), absl::StatusCode::kNotFound);
    EXPECT_EQ(code([](Request& r) { r.where = {0, {"ha"}, 0}; }), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(code([](Request& r) { r.where.node_count = 2; }), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(code([](Request& r) { r.base.exposed = {{6, 0}}; }), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(code([](Request& r) { r.base.exposed = {{1, 80}}; }), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(code([](Request& r) { r.base.exposed = {{6, 80}, {6, 80}}; }), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(code([](Request& r) { r.lease_s = 31 * 86400; }), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(code([](Request& r) { r.base.argv = {std::string(200000, 'x')}; }), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(code([](Request& r) { r.base.argv = {std::string("a\0b", 3)}; }), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(code([](Request& r) { r.base.resources.memory_bytes = 1; }), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(code([](Request& r) { r.base.resources.cpu_millis = 1; }), absl::StatusCode::kInvalidArgument);
    world.pass(std::chrono::seconds(6));
    EXPECT_EQ(code([](Request& r) { r.where = {0, {"node1"}, 0}; }), absl::StatusCode::kFailedPrecondition);
    EXPECT_TRUE(world.store().load()->slices.empty());
    for (const Operation& operation : world.controller().operations()) {
        EXPECT_EQ(operation.kind, OperationKind::importImage) << "nothing was begun";
    }
}

// Refuses batches that erase slices, while it is told to.
class KeepingStore : public Store {
public:
    absl::StatusOr<Snapshot> load() override { return store_->load(); }
    absl::Status apply(const Changes& changes) override {
        return keeps && !changes.erase_slices.empty() ? unavailable("not now") : store_->apply(changes);
    }
    absl::Status record(const AuditEntry& entry) override { return store_->record(entry); }
    absl::StatusOr<std::vector<AuditEntry>> audit(uint32_t most) override { return store_->audit(most); }

    bool keeps = false;

private:
    const std::unique_ptr<Store> store_ = makeMemoryStore();
};

TEST(Controller, ADeletionHasNotEndedWhileTheSliceIsThere) {
    auto store = std::make_unique<KeepingStore>();
    KeepingStore& keeping = *store;
    TestWorld world(std::move(store));
    world.addLab(1);
    ASSERT_TRUE(world.create("web", {"node1"}).ok());
    world.settle();
    keeping.keeps = true;
    const auto deletion = world.controller().deleteSlice("web", "");
    ASSERT_TRUE(deletion.ok());
    world.obey("node1");
    EXPECT_EQ(world.controller().slivers("web")->size(), 0U);
    EXPECT_TRUE(world.controller().slice("web").ok());
    EXPECT_EQ(world.controller().operation(deletion->id)->state, OperationState::running);
    EXPECT_EQ(world.controller().operation(deletion->id)->step, "removing the slice");
    keeping.keeps = false;
    world.controller().tick();
    EXPECT_FALSE(world.controller().slice("web").ok());
    EXPECT_EQ(world.operation(deletion->id).state, OperationState::done);
}

TEST(Controller, RowsStayUntilTheNodesReportAbsence) {
    TestWorld world;
    world.addLab(2);
    ASSERT_TRUE(world.create("web", {"node1", "node2"}).ok());
    world.settle();
    const auto deletion = world.controller().deleteSlice("web", "");
    ASSERT_TRUE(deletion.ok());
    EXPECT_EQ(world.controller().sliver({"web", 1})->state, SliverState::deleting);
    EXPECT_EQ(world.node("node1").desired({"web", 1}), nullptr);
    world.report("node1");
    EXPECT_EQ(world.controller().slivers("web")->size(), 2U) << "the node still has it";
    world.obey("node1");
    EXPECT_EQ(world.controller().slivers("web")->size(), 1U);
    EXPECT_EQ(world.controller().deleteSlice("web", "")->id, deletion->id) << "asking again joins it";
    EXPECT_EQ(world.create("web", {"node1"}).status().code(), absl::StatusCode::kAlreadyExists);
    world.obey("node2");
    EXPECT_EQ(world.operation(deletion->id).state, OperationState::done);
    EXPECT_EQ(world.controller().slice("web").status().code(), absl::StatusCode::kNotFound);
    ASSERT_TRUE(world.create("web", {"node1"}).ok());
    EXPECT_EQ(world.controller().slice("web")->prefix.toString(), "fd51:1ce:0:2::/64")
        << "addresses are not reused early";
}

TEST(Controller, AReportFromBeforeTheCreationDoesNotCountAsAbsence) {
    TestWorld world;
    world.addLab(1);
    world.obey("node1");
    const NodeReport old = world.node("node1").report();
    ASSERT_TRUE(world.create("web", {"node1"}).ok());
    ASSERT_TRUE(world.controller().deleteSlice("web", "").ok());
    world.controller().reportFromNode(world.node("node1").handle, old);
    EXPECT_TRUE(world.controller().slice("web").ok());
    world.obey("node1");
    EXPECT_FALSE(world.controller().slice("web").ok());
}

TEST(Controller, ADeletionWaitsForANodeThatIsAwayAcrossRestarts) {
    TestWorld world;
    world.addLab(2);
    ASSERT_TRUE(world.create("web", {"node1", "node2"}).ok());
    world.settle();
    world.controller().disconnectNode(world.node("node2").handle);
    const auto deletion = world.controller().deleteSlice("web", "");
    world.obey("node1");
    const auto again = world.controller().deleteSlice("web", "");
    EXPECT_EQ(again->done, 1U);
    EXPECT_THAT(again->step, HasSubstr("node2 (not connected"));
    world.start();
    world.connect("node1");
    world.obey("node1");
    EXPECT_EQ(world.operation(deletion->id).state, OperationState::running);
    world.connect("node2");
    world.obey("node2");
    EXPECT_EQ(world.operation(deletion->id).state, OperationState::done);
}

TEST(Controller, DeletingEndsWhatIsUnderWay) {
    TestWorld world;
    world.addLab(2);
    const auto creation = world.create("web", {"node1"});
    const auto move = world.controller().moveSliver({"web", 1}, "node2", "");
    ASSERT_TRUE(move.ok()) << move.status();
    const auto deletion = world.controller().deleteSlice("web", "");
    EXPECT_EQ(world.operation(creation->id).state, OperationState::failed);
    EXPECT_EQ(world.operation(move->id).state, OperationState::failed);
    world.settle();
    EXPECT_EQ(world.operation(deletion->id).state, OperationState::done);
}

TEST(Controller, LeasesEnd) {
    TestWorld world;
    world.addLab(1);
    ASSERT_TRUE(world.create("web", {"node1"}).ok());
    world.settle();
    world.pass(6 * kDay);
    world.report("node1");
    const auto renewed = world.controller().renewSlice("web", 365 * 86400);
    ASSERT_TRUE(renewed.ok());
    EXPECT_EQ(renewed->view.slice.lease_end_us - renewed->view.slice.created_us,
              36 * kDay / std::chrono::microseconds(1));
    world.pass(30 * kDay - std::chrono::seconds(1));
    world.controller().tick();
    EXPECT_FALSE(world.controller().slice("web")->slice.suspended);
    world.pass(std::chrono::seconds(1));
    world.controller().tick();
    EXPECT_TRUE(world.controller().slice("web")->slice.suspended);
    world.pass(kDay - std::chrono::seconds(1));
    world.controller().tick();
    EXPECT_FALSE(world.controller().slice("web")->slice.deleting) << "the grace is a day";
    world.pass(std::chrono::seconds(1));
    world.controller().tick();
    EXPECT_TRUE(world.controller().slice("web")->slice.deleting);
    EXPECT_EQ(world.controller().renewSlice("web", 0).status().code(), absl::StatusCode::kFailedPrecondition);
    world.settle();
    EXPECT_FALSE(world.controller().slice("web").ok());
}

TEST(Controller, ARenewalLetsASuspendedSliceGoOn) {
    TestWorld world;
    world.addLab(1);
    ASSERT_TRUE(world.create("web", {"node1"}).ok());
    world.settle();
    const auto asked = [&] { return world.node("node1").desired({"web", 1})->run; };
    world.pass(7 * kDay);
    world.report("node1");
    world.controller().tick();
    EXPECT_EQ(asked(), DesiredRun::frozen);
    EXPECT_EQ(world.controller().slice("web")->delete_us - world.controller().slice("web")->slice.created_us,
              8 * kDay / std::chrono::microseconds(1));
    world.restart();
    EXPECT_EQ(asked(), DesiredRun::frozen);
    const auto thawed = world.controller().setFrozen({"web", 0}, false, "");
    EXPECT_THAT(messageOf(thawed.status()), HasSubstr("slicectl slice renew web"));
    ASSERT_TRUE(world.controller().renewSlice("web", 0).ok());
    EXPECT_EQ(asked(), DesiredRun::running);
}

TEST(Controller, NodesComeAndGo) {
    TestWorld world;
    world.addLab(1);
    FakeNode& node = world.node("node1");
    Node impostor = node.hello;
    impostor.care_of_address = Ipv6Address::parse("fd00::bad").value();
    const auto try_impostor = [&] { return world.controller().connectNode(impostor, std::make_shared<FakeSession>()); };
    EXPECT_EQ(try_impostor().status().code(), absl::StatusCode::kAlreadyExists);
    const auto old_session = node.session;
    world.connect("node1");
    EXPECT_EQ(old_session->closed.code(), absl::StatusCode::kAborted) << "a reconnect replaces the old stream";
    EXPECT_EQ(node.session->sent, 1) << "and gets the whole picture";
    world.pass(std::chrono::seconds(6));
    EXPECT_THAT(world.controller().node("node1")->not_ready, HasSubstr("silent for 6 s"));
    EXPECT_EQ(world.controller().endpointOfNode("node1").status().code(), absl::StatusCode::kUnavailable);
    EXPECT_TRUE(try_impostor().ok()) << "the name is free once its node is silent";
    world.controller().reportFromNode(node.handle, node.report());
    EXPECT_EQ(world.controller().node("node1")->node.care_of_address, impostor.care_of_address);
}

TEST(Controller, PicturesNameAllNodesAndHomeAgentsAndAreSentOnChange) {
    TestWorld world;
    world.addLab(1);
    world.addNode("ha", true);
    const auto session = world.node("node1").session;
    ASSERT_EQ(session->last_picture.home_agents.size(), 1U);
    EXPECT_EQ(session->last_picture.home_agents[0].address, world.node("ha").hello.care_of_address);
    EXPECT_EQ(session->last_picture.nodes.size(), 2U);
    const int sent = session->sent;
    world.addImage("debian", "other");
    world.report("node1");
    EXPECT_EQ(session->sent, sent) << "nothing that concerns it has changed";
    const uint64_t before = session->last_revision;
    ASSERT_TRUE(world.create("web", {"node1"}).ok());
    EXPECT_GT(session->last_revision, before);
}

TEST(Controller, ImagesStayWhileTheyAreUsed) {
    TestWorld world;
    world.addLab(1);
    ASSERT_TRUE(world.create("web", {"node1"}).ok());
    EXPECT_EQ(world.controller().removeImage("busybox").code(), absl::StatusCode::kFailedPrecondition);
    const std::string used = world.controller().slice("web")->slice.base.image_digest;
    world.addImage("busybox", "a newer archive");
    EXPECT_EQ(world.controller().images()[0].slices, 0U) << "the slice keeps the one that it was made with";
    EXPECT_EQ(world.controller().slice("web")->slice.base.image_digest, used);
    EXPECT_TRUE(world.controller().removeImage("busybox").ok());
    EXPECT_EQ(world.controller().removeImage("busybox").code(), absl::StatusCode::kNotFound);
}

TEST(Controller, RefusedBindingsAreShownWithTheirNode) {
    TestWorld world;
    world.addNode("node1");
    NodeReport report = world.node("node1").report();
    report.bindings_refused = 2;
    report.binding_refusal = "fd00::a refuses the binding of fd51::1: Generation stale";
    world.controller().reportFromNode(world.node("node1").handle, report);
    const auto node = world.controller().node("node1");
    ASSERT_TRUE(node.ok());
    EXPECT_EQ(node->refusals.count, 2U);
    EXPECT_EQ(node->refusals.last, report.binding_refusal);
}

TEST(Controller, BindingsAreDescribed) {
    TestWorld world;
    world.addLab(2);
    ASSERT_TRUE(world.create("web", {"node1", "node2"}).ok());
    const Ipv6Address at = world.node("node2").hello.care_of_address;
    const auto describe = [&](const std::string& home, uint32_t id) {
        return world.controller().describeBinding(Ipv6Address::parse(home).value(), id, at);
    };
    const BindingOwner own = describe("fd51:1ce:0:1::1:2", 0);
    EXPECT_EQ(own.slice, "web");
    EXPECT_EQ(own.sliver_index, 2U);
    EXPECT_EQ(own.node, "node2");
    EXPECT_EQ(describe("fd51:1ce:0:1::1", 2).sliver_index, 2U);
    EXPECT_EQ(describe("fd51:1ce:0:9::1", 2).slice, "");
}

// A store that can be switched to failing.
class MoodyStore : public Store {
public:
    absl::StatusOr<Snapshot> load() override { return good_->load(); }
    absl::Status apply(const Changes& changes) override {
        return failing ? makeFailingStore()->apply(changes) : good_->apply(changes);
    }
    absl::Status record(const AuditEntry& entry) override { return good_->record(entry); }
    absl::StatusOr<std::vector<AuditEntry>> audit(uint32_t most) override { return good_->audit(most); }
    bool failing = false;

private:
    std::unique_ptr<Store> good_ = makeMemoryStore();
};

TEST(Controller, AFailingStoreLeavesNoHalfState) {
    std::string directory = (std::filesystem::temp_directory_path() / "hst-core-XXXXXX").string();
    ASSERT_NE(::mkdtemp(directory.data()), nullptr);
    const auto files = ImageFiles::open(directory).value();
    MoodyStore store;
    Config config;
    config.home_prefix = Ipv6Prefix::parse("fd51:1ce::/48").value();
    const auto controller = Controller::open(config, store, *files, systemClock()).value();
    FakeNode node;
    node.hello.name = "node1";
    node.hello.care_of_address = Ipv6Address::parse("fd00::1").value();
    node.hello.api_port = 1;
    node.session = std::make_shared<FakeSession>();
    ASSERT_TRUE(controller->connectNode(node.hello, node.session).ok());
    auto receiver = files->receive().value();
    ASSERT_TRUE(receiver->write("archive").ok());
    const std::string digest = receiver->finish().value();
    const std::string import = controller->beginImport("busybox").value().id;
    ASSERT_TRUE(controller->addImage("busybox", digest, *receiver, import).ok());

    store.failing = true;
    CreateSliceRequest request;
    request.name = "web";
    request.base.image = "busybox";
    request.where.node_count = 1;
    EXPECT_EQ(controller->createSlice(request).status().code(), absl::StatusCode::kUnavailable);
    EXPECT_TRUE(controller->slices().empty());
    EXPECT_EQ(node.desired({"web", 1}), nullptr) << "no node is told what is not stored";
    store.failing = false;
    EXPECT_TRUE(controller->createSlice(request).ok());
    EXPECT_NE(node.desired({"web", 1}), nullptr);
    EXPECT_TRUE(removeTree(directory).ok());
}

TEST(Controller, KeepsToItsHomePrefix) {
    TestWorld world;
    std::string directory = (std::filesystem::temp_directory_path() / "hst-core-XXXXXX").string();
    ASSERT_NE(::mkdtemp(directory.data()), nullptr);
    const auto files = ImageFiles::open(directory).value();
    Config other;
    other.home_prefix = Ipv6Prefix::parse("fd52::/48").value();
    EXPECT_EQ(Controller::open(other, world.store(), *files, systemClock()).status().code(),
              absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(Controller::open(other, *makeFailingStore(), *files, systemClock()).status().code(),
              absl::StatusCode::kUnavailable);
    EXPECT_TRUE(removeTree(directory).ok());
}

class RecordingWatcher : public OperationWatcher {
public:
    void changed(const Operation& operation) override { seen.push_back(operation); }
    std::vector<Operation> seen;
};

TEST(Controller, WatchersSeeEachChangeUntilTheEnd) {
    TestWorld world;
    world.addLab(2);
    const auto operation = world.create("web", {"node1", "node2"});
    const auto watcher = std::make_shared<RecordingWatcher>();
    ASSERT_TRUE(world.controller().watchOperation(operation->id, watcher).ok());
    world.obey("node1");
    world.report("node1");
    world.obey("node2");
    ASSERT_EQ(watcher->seen.size(), 3U) << "at once, then one for each change";
    EXPECT_EQ(watcher->seen[1].done, 1U);
    EXPECT_EQ(watcher->seen[2].state, OperationState::done);
    EXPECT_EQ(world.controller().watchOperation("none", watcher).code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace homeslice::controller
