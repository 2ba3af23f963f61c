// For tests of the core: a clock that stands still until told, nodes that do what their picture says when told, a
// controller that can be killed and started again over the same store.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "base/file.h"
#include "base/status.h"
#include "controller/core/controller.h"
#include "controller/core/test_picture.h"

namespace homeslice::controller::testing_support {

class FakeSession : public NodeSession {
public:
    void send(uint64_t revision, const Picture& picture, const NameTable* names) override {
        if (names != nullptr) sendNames(*names);
        last_revision = revision;
        last_picture.take(picture);
        ++sent;
    }
    void sendNames(const NameTable& names) override { take(last_names, names); }
    void close(const absl::Status& why) override { closed = why; }

    uint64_t last_revision = 0;
    KnownPicture last_picture;  // with all that was said before
    int sent = 0;
    NameTable last_names;
    absl::Status closed;
};

inline SliverState stateFor(DesiredRun run) {
    switch (run) {
        case DesiredRun::running:
            return SliverState::running;
        case DesiredRun::frozen:
            return SliverState::frozen;
        case DesiredRun::prepared:
            return SliverState::preparing;
        case DesiredRun::stopped:
            return SliverState::stopped;
    }
    return SliverState::failed;
}

// A node as the core sees it. Holds slivers across reconnects, and reports only when told to.
struct FakeNode {
    Node hello;
    NodeHandle handle;
    std::shared_ptr<FakeSession> session;
    std::map<SliverId, SliverReport> slivers;

    const SliverSpec* desired(const SliverId& id) const {
        const auto found = session->last_picture.slivers.find(id);
        return found == session->last_picture.slivers.end() ? nullptr : &found->second;
    }
    // Becomes exactly what the last picture asks for, at once.
    void obey() {
        slivers.clear();
        for (const auto& [id, wanted] : session->last_picture.slivers) {
            SliverReport& report = slivers[id];
            report.id = id;
            report.generation = wanted.generation;
            report.image_ready = true;
            report.state = stateFor(wanted.run);
        }
    }
    NodeReport report() const {
        NodeReport result;
        result.desired_revision = session->last_revision;
        for (const auto& [id, sliver] : slivers) result.slivers.push_back(sliver);
        return result;
    }
};

class TestWorld {
public:
    explicit TestWorld(std::unique_ptr<Store> store = makeMemoryStore()) : store_(std::move(store)) {
        std::string directory = (std::filesystem::temp_directory_path() / "hst-core-XXXXXX").string();
        EXPECT_NE(::mkdtemp(directory.data()), nullptr);
        directory_ = directory;
        image_files_ = ImageFiles::open(directory_).value();
        start();
    }
    ~TestWorld() { EXPECT_TRUE(removeTree(directory_).ok()); }

    // Kills the controller and starts it again; all nodes must connect anew.
    void start() {
        const Clock clock{[this] { return now_; }, [this] { return now_us_; }};
        config.home_prefix = Ipv6Prefix::parse("fd51:1ce::/48").value();
        config.replace_after = std::chrono::minutes(2);
        controller_.reset();
        auto opened = Controller::open(config, *store_, *image_files_, clock);
        ASSERT_TRUE(opened.ok()) << opened.status();
        controller_ = std::move(opened).value();
    }
    void restart() {
        start();
        for (auto& [name, node] : nodes_) connect(name);
    }

    Config config;  // of the next start

    Controller& controller() { return *controller_; }
    Store& store() { return *store_; }
    FakeNode& node(const std::string& name) { return nodes_.at(name); }

    int64_t now() const { return now_us_; }

    void addNode(const std::string& name, bool home_agent = false) {
        FakeNode& node = nodes_[name];
        node.hello.name = name;
        node.hello.care_of_address = Ipv6Address::parse("fd00:51ce::").value().withInterfaceId(nodes_.size());
        node.hello.api_port = 7401;
        node.hello.boot_id = "boot of " + name;
        node.hello.home_agent = home_agent;
        node.hello.cpus = 2;
        const auto token = controller_->makeNodeToken(name, 0, home_agent);
        ASSERT_TRUE(token.ok()) << token.status();
        ASSERT_TRUE(controller_->redeemToken(token->token).ok());
        connect(name);
    }
    void connect(const std::string& name) {
        FakeNode& node = nodes_.at(name);
        node.session = std::make_shared<FakeSession>();
        auto handle = controller_->connectNode(node.hello, node.session);
        ASSERT_TRUE(handle.ok()) << handle.status();
        node.handle = *handle;
    }
    void addImage(const std::string& name, const std::string& content = "archive") {
        auto receiver = image_files_->receive().value();
        ASSERT_TRUE(receiver->write(content).ok());
        const std::string digest = receiver->finish().value();
        const auto added = controller_->addImage(name, digest, *receiver, controller_->beginImport(name).value().id);
        ASSERT_TRUE(added.ok()) << added.status();
    }
    void addLab(int nodes) {
        for (int i = 1; i <= nodes; ++i) addNode("node" + std::to_string(i));
        addImage("busybox");
    }

    void report(const std::string& name) { controller_->reportFromNode(node(name).handle, node(name).report()); }
    void obey(const std::string& name) {
        node(name).obey();
        report(name);
    }
    // Every node obeys, until nothing new is asked.
    void settle() {
        for (int sent = -1; sent != sentInAll();) {
            sent = sentInAll();
            for (auto& [name, node] : nodes_) obey(name);
        }
    }
    // The nodes that are named say nothing for so long, the others go on, a second at a time.
    void passWithout(const std::set<std::string>& silent, std::chrono::seconds time) {
        for (int64_t second = 0; second < time.count(); ++second) {
            pass(std::chrono::seconds(1));
            for (auto& [name, node] : nodes_) {
                if (!silent.contains(name)) obey(name);
            }
            controller_->tick();
        }
    }
    void pass(std::chrono::seconds time) {
        now_ += time;
        now_us_ += std::chrono::duration_cast<std::chrono::microseconds>(time).count();
    }

    absl::StatusOr<Operation> create(const std::string& name, std::vector<std::string> nodes,
                                     const std::string& request_id = "") {
        CreateSliceRequest request;
        request.name = name;
        request.base.image = "busybox";
        request.where.nodes = std::move(nodes);
        request.request_id = request_id;
        return controller_->createSlice(request);
    }
    Operation operation(const std::string& id) const { return store_->load()->operations.at(id); }

private:
    int sentInAll() const {
        int sent = 0;
        for (const auto& [name, node] : nodes_) sent += node.session->sent;
        return sent;
    }

    std::unique_ptr<Store> store_;
    std::string directory_;
    std::unique_ptr<ImageFiles> image_files_;
    std::unique_ptr<Controller> controller_;
    std::map<std::string, FakeNode> nodes_;
    Monotonic::time_point now_ = Monotonic::time_point() + std::chrono::hours(1);
    int64_t now_us_ = 1'700'000'000'000'000;
};

}  // namespace homeslice::controller::testing_support
