#include "noded/sliver/starter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"

namespace homeslice::sliver {
namespace {

using testing::ElementsAre;
using Log = std::vector<std::string>;

// Writes down what is called; fails where told.
class RecordingIsolator : public isolation::Isolator {
public:
    RecordingIsolator(std::string name, Log& log, const std::string& failing)
        : name_(std::move(name)), log_(log), failing_(failing) {}

    std::string name() const override { return name_; }
    absl::Status prepare(isolation::Start&) override { return note("prepare"); }
    absl::Status furnish(isolation::Start&) override { return note("furnish"); }
    absl::Status attach(isolation::Start&, const launcher::Child&) override { return note("attach"); }
    absl::Status connect(isolation::Start&, const launcher::Child&) override { return note("connect"); }
    absl::Status adopt(isolation::Start&, const launcher::Child&) override { return note("adopt"); }
    absl::Status recover(const SliverSpec&, isolation::SliverRuntime&) override { return note("recover"); }
    absl::Status update(const SliverSpec&, isolation::SliverRuntime&) override { return note("update"); }
    absl::Status cleanup(const SliverSpec&, isolation::SliverRuntime&) override { return note("cleanup"); }
    absl::Status destroy(const SliverSpec&, isolation::SliverRuntime&) override { return note("destroy"); }

private:
    absl::Status note(const std::string& what) {
        log_.push_back(what + " " + name_);
        return log_.back() == failing_ ? internalError("made to fail") : absl::OkStatus();
    }
    const std::string name_;
    Log& log_;
    const std::string& failing_;
};

class StarterTest : public testing::Test {
protected:
    Starter makeStarter() {
        Starter::Isolators isolators;
        for (const char* name : {"a", "b"})
            isolators.push_back(std::make_unique<RecordingIsolator>(name, log_, failing_));
        return Starter(std::move(isolators),
                       {.clone = [this](const launcher::CloneRequest& request,
                                        const launcher::Meanwhile& meanwhile) -> absl::StatusOr<launcher::Child> {
                            log_.push_back("clone " + request.key);
                            if (failing_ == "clone") return unavailable("no");
                            if (launcher_has_time_) meanwhile();
                            launcher::Child child;
                            child.identity.pid = 42;
                            return child;
                        },
                        .park = [this](launcher::Child&, const launcher::LaunchPlan&,
                                       const launcher::Meanwhile& meanwhile) -> absl::Status {
                            log_.push_back("park");
                            if (failing_ == "park") return internalError("no");
                            meanwhile();
                            return absl::OkStatus();
                        },
                        .assign = [this](launcher::Child&, const launcher::Command& command) -> absl::Status {
                            log_.push_back("assign");
                            command_ = command;
                            return failing_ == "assign" ? internalError("no") : absl::OkStatus();
                        }});
    }

    absl::StatusOr<Started> start() {
        spec_.id = {.slice = "web", .index = 1};
        return makeStarter().start(spec_, runtime_, image_, [this] {
            log_.emplace_back("persist");
            return failing_ == "persist" ? unavailable("no") : absl::OkStatus();
        });
    }

    Log log_;
    std::string failing_;
    SliverSpec spec_;
    isolation::SliverRuntime runtime_;
    image::Image image_;
    launcher::Command command_;
    bool launcher_has_time_ = true;
};

TEST_F(StarterTest, MakesAheadWithoutARecordAndAdoptsWithOne) {
    Starter starter = makeStarter();
    spec_.id = {.slice = "web", .index = 1};
    auto prepared = starter.prepareAhead(spec_, {}, image_);
    ASSERT_TRUE(prepared.ok()) << prepared.status();
    EXPECT_THAT(log_, ElementsAre("prepare a", "prepare b", "clone web/1", "furnish a", "furnish b", "attach a",
                                  "attach b", "park", "connect a", "connect b"));
    log_.clear();
    spec_.base.argv = {"true"};
    const auto started = starter.adopt(std::move(*prepared), spec_, runtime_, image_, [this] {
        log_.emplace_back("persist");
        return absl::OkStatus();
    });
    ASSERT_TRUE(started.ok()) << started.status();
    EXPECT_EQ(started->process.pid, 42);
    EXPECT_THAT(log_, ElementsAre("persist", "adopt a", "adopt b", "assign"));
    EXPECT_THAT(command_.argv, ElementsAre("true"));
}

TEST_F(StarterTest, UndoesWhatWasMadeAhead) {
    for (const std::string& step : Log{"prepare b", "clone", "furnish b", "attach b", "park", "connect b"}) {
        log_.clear();
        failing_ = step;
        EXPECT_FALSE(makeStarter().prepareAhead(spec_, {}, image_).ok()) << step;
        ASSERT_GE(log_.size(), 4U);
        EXPECT_EQ(Log(log_.end() - 4, log_.end()), (Log{"cleanup b", "cleanup a", "destroy b", "destroy a"})) << step;
    }
    failing_.clear();
    for (const std::string& step : Log{"adopt b", "assign"}) {
        Starter starter = makeStarter();
        auto prepared = starter.prepareAhead(spec_, {}, image_);
        ASSERT_TRUE(prepared.ok());
        failing_ = step;
        EXPECT_FALSE(
            starter.adopt(std::move(*prepared), spec_, runtime_, image_, [] { return absl::OkStatus(); }).ok());
        EXPECT_EQ(Log(log_.end() - 2, log_.end()), (Log{"cleanup b", "cleanup a"})) << step;
        failing_.clear();
    }
}

TEST_F(StarterTest, PersistsBetweenPreparingAndTheProcess) {
    const auto started = start();
    ASSERT_TRUE(started.ok()) << started.status();
    EXPECT_EQ(started->process.pid, 42);
    EXPECT_THAT(log_, ElementsAre("prepare a", "prepare b", "persist", "clone web/1", "furnish a", "furnish b",
                                  "attach a", "attach b", "park", "connect a", "connect b", "assign"));
}

TEST_F(StarterTest, FurnishesAlsoWhenTheLauncherHadNoTimeForIt) {
    launcher_has_time_ = false;
    ASSERT_TRUE(start().ok());
    EXPECT_THAT(log_, testing::IsSupersetOf({"furnish a", "furnish b"}));
}

TEST_F(StarterTest, NoCommandBeforeTheLastLayerIsThere) {
    for (const std::string& step : Log{"furnish b", "attach b", "connect b"}) {
        log_.clear();
        failing_ = step;
        EXPECT_EQ(messageOf(start().status()), "b: made to fail");
        EXPECT_THAT(log_, testing::Not(testing::Contains("assign"))) << step;
    }
}

TEST_F(StarterTest, UndoesInReverseWhereverItFails) {
    for (const std::string& step :
         Log{"prepare a", "prepare b", "persist", "clone", "furnish a", "attach b", "park", "connect b", "assign"}) {
        log_.clear();
        failing_ = step;
        EXPECT_FALSE(start().ok()) << step;
        ASSERT_GE(log_.size(), 2U);
        EXPECT_EQ(Log(log_.end() - 2, log_.end()), (Log{"cleanup b", "cleanup a"})) << step;
    }
}

TEST_F(StarterTest, WithoutAWrittenIntentNothingIsCloned) {
    failing_ = "persist";
    EXPECT_EQ(start().status().code(), absl::StatusCode::kUnavailable);
    EXPECT_THAT(log_, testing::Not(testing::Contains("clone web/1")));
}

TEST_F(StarterTest, CleansUpThroughAFailureButDoesNotDestroyThroughOne) {
    failing_ = "cleanup b";
    EXPECT_FALSE(makeStarter().cleanup(spec_, runtime_).ok());
    EXPECT_THAT(log_, ElementsAre("cleanup b", "cleanup a"));
    log_.clear();
    failing_ = "destroy b";
    EXPECT_FALSE(makeStarter().destroy(spec_, runtime_).ok());
    EXPECT_THAT(log_, ElementsAre("destroy b"));
}

TEST_F(StarterTest, NamesTheIsolatorThatFailed) {
    failing_ = "attach b";
    EXPECT_EQ(messageOf(start().status()), "b: made to fail");
}

TEST_F(StarterTest, TheSpecsCommandStandsForTheImages) {
    image_.config = {.argv = {"nginx"}, .env = {"A=1"}, .working_directory = "/srv", .user = ""};
    ASSERT_TRUE(start().ok());
    EXPECT_THAT(command_.argv, ElementsAre("nginx"));
    EXPECT_EQ(command_.working_directory, "/srv");
    EXPECT_THAT(command_.env, testing::Contains(testing::StartsWith("PATH=")));
    spec_.base.argv = {"sleep", "1"};
    image_.config.env = {"PATH=/only"};
    ASSERT_TRUE(start().ok());
    EXPECT_THAT(command_.argv, ElementsAre("sleep", "1"));
    EXPECT_THAT(command_.env, testing::Contains("PATH=/only"));
}

TEST_F(StarterTest, TheTemplateStandsOverTheImage) {
    image_.config = {.argv = {"nginx"}, .env = {"A=1", "B=2"}, .working_directory = "/srv", .user = "www-data"};
    spec_.base.env = {"A=3"};
    spec_.base.working_directory = "/data";
    spec_.base.user = "nobody";
    spec_.base.log = {.max_bytes = 4096, .files = 3};
    ASSERT_TRUE(start().ok());
    EXPECT_THAT(command_.env, testing::IsSupersetOf({"A=3", "B=2"}));
    EXPECT_THAT(command_.env, testing::Not(testing::Contains("A=1")));
    EXPECT_EQ(command_.working_directory, "/data");
    EXPECT_EQ(command_.user, "nobody");
    EXPECT_EQ(command_.log_bytes, 4096U);
    EXPECT_EQ(command_.log_files, 3U);
}

TEST_F(StarterTest, AChangeThatFailsIsTakenBack) {
    failing_ = "update b";
    const SliverSpec before = spec_;
    EXPECT_FALSE(makeStarter().update(before, spec_, runtime_).ok());
    EXPECT_THAT(log_, ElementsAre("update a", "update b", "update a", "update b"));
}

}  // namespace
}  // namespace homeslice::sliver
