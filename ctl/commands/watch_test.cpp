#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/reason.h"
#include "base/status.h"
#include "ctl/commands/fake_controller.h"
#include "ctl/output/value.h"
#include "rpc/status.h"

namespace homeslice::ctl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

v1::WatchResponse answer(uint64_t revision, std::initializer_list<const char*> slices, bool whole = false) {
    v1::WatchResponse response;
    response.set_revision(revision);
    response.set_whole(whole);
    for (const char* name : slices) {
        v1::Slice& slice = *response.add_events()->mutable_slice();
        slice.set_name(name);
        slice.set_slivers(3);
        slice.set_slivers_running(2);
    }
    return response;
}

v1::WatchResponse gone(uint64_t revision, const std::string& name) {
    v1::WatchResponse response;
    response.set_revision(revision);
    response.add_events()->mutable_gone()->set_kind(v1::WATCH_KIND_SLICE);
    response.mutable_events(0)->mutable_gone()->set_name(name);
    return response;
}

grpc::Status revisionGone() { return rpc::toGrpc(because(absl::OutOfRangeError("gone"), reason::kRevisionGone)); }
grpc::Status away() { return {grpc::StatusCode::UNAVAILABLE, "the controller stops"}; }
grpc::Status end() { return {grpc::StatusCode::PERMISSION_DENIED, "that is all"}; }

std::vector<std::string> linesOf(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
}

// "slice web is 5"
std::vector<std::string> digestOf(const std::string& json_lines) {
    std::vector<std::string> digests;
    for (const std::string& line : linesOf(json_lines)) {
        const Value value = Value::parse(line);
        digests.push_back(value.at("kind").get<std::string>() + " " + value.at("name").get<std::string>() + " " +
                          value.at("change").get<std::string>() + " " + value.at("revision").dump());
    }
    return digests;
}

TEST(Watch, AListGoesOnWithARowForEachChange) {
    FakeController controller;
    v1::WatchResponse changed = answer(6, {"web"});
    changed.mutable_events(0)->mutable_slice()->set_slivers_running(3);
    controller.watches = {{{answer(5, {"web", "a-long-name"}, true), changed, gone(7, "web")}, end()}};
    const Outcome outcome = slicectl(controller, {"slice", "ls", "--watch"});
    EXPECT_THAT(outcome.err, HasSubstr("that is all"));
    const std::vector<std::string> lines = linesOf(outcome.out);
    ASSERT_THAT(lines, SizeIs(5));
    EXPECT_THAT(lines[0], HasSubstr("SLICE"));
    EXPECT_THAT(lines[1], HasSubstr("web           -"));
    EXPECT_EQ(lines[3].substr(0, 20), lines[1].substr(0, 20)) << "columns keep their places";
    EXPECT_EQ(lines[4], "web           (gone)");
    ASSERT_THAT(controller.watch_requests, SizeIs(1));
    EXPECT_THAT(controller.watch_requests[0].kinds(), ElementsAre(v1::WATCH_KIND_SLICE));
}

TEST(Watch, PrintsALineOfJsonForEachThing) {
    FakeController controller;
    v1::WatchResponse warning;
    warning.set_revision(6);
    warning.add_events()->mutable_lease_warning()->set_slice("web");
    controller.watches = {{{answer(5, {"web"}, true), warning, gone(7, "web")}, end()}};
    const Outcome outcome = slicectl(controller, {"watch", "web", "-o", "json"});
    EXPECT_THAT(digestOf(outcome.out), ElementsAre("slice web is 5", "slice web lease-ends 6", "slice web gone 7"));
    EXPECT_EQ(Value::parse(linesOf(outcome.out)[0]).at("object").at("slivers_running"), 2);
    EXPECT_EQ(controller.watch_requests[0].slice(), "web");
    EXPECT_EQ(controller.watch_requests[0].revision(), 0U);
}

TEST(Watch, SaysInWordsWhatChanges) {
    FakeController controller;
    controller.watches = {{{answer(5, {"web"}, true), gone(7, "web")}, end()}};
    const Outcome outcome = slicectl(controller, {"watch"});
    EXPECT_THAT(outcome.out, HasSubstr(" slice web: ending, 2 of 3 slivers run\n"));
    EXPECT_THAT(outcome.out, HasSubstr(" slice web: gone\n"));
}

TEST(Watch, GoesOnWhereItWasCutOff) {
    FakeController controller;
    controller.watches = {{{answer(5, {"web"}, true)}, away()}, {{}, away()}, {{answer(6, {"db"})}, end()}};
    const Outcome outcome = slicectl(controller, {"watch", "-o", "json"});
    EXPECT_THAT(digestOf(outcome.out), ElementsAre("slice web is 5", "slice db is 6"));
    ASSERT_THAT(controller.watch_requests, SizeIs(3));
    EXPECT_EQ(controller.watch_requests[1].revision(), 5U);
    EXPECT_EQ(controller.watch_requests[2].revision(), 5U);
}

TEST(Watch, FindsOutWhatIsGoneWhenItHasToBeginAnew) {
    FakeController controller;
    controller.watches = {{{answer(5, {"web", "db"}, true)}, away()},
                          {{}, revisionGone()},
                          {{answer(0, {"db"}), answer(9, {}, true)}, end()}};
    const Outcome outcome = slicectl(controller, {"watch", "-o", "json"});
    EXPECT_THAT(digestOf(outcome.out), ElementsAre("slice web is 5", "slice db is 5", "slice web gone 9"));
    ASSERT_THAT(controller.watch_requests, SizeIs(3));
    EXPECT_EQ(controller.watch_requests[2].revision(), 0U);
}

TEST(Watch, TellsAThingAgainOnlyWhenItHasChanged) {
    FakeController controller;
    v1::WatchResponse changed = answer(9, {"web", "db"}, true);
    changed.mutable_events(1)->mutable_slice()->set_slivers_running(3);
    controller.watches = {{{answer(5, {"web", "db"}, true)}, away()},
                          {{answer(5, {"web"})}, away()},
                          {{}, revisionGone()},
                          {{changed, gone(10, "web"), answer(11, {"web"})}, end()}};
    const Outcome outcome = slicectl(controller, {"watch", "-o", "json"});
    EXPECT_THAT(digestOf(outcome.out), ElementsAre("slice web is 5", "slice db is 5", "slice db is 9",
                                                   "slice web gone 10", "slice web is 11"));
}

TEST(Watch, SaysThatARevisionIsGone) {
    FakeController controller;
    controller.watches = {{{}, revisionGone()}};
    const Outcome outcome = slicectl(controller, {"watch", "--since", "3", "-o", "json"});
    EXPECT_EQ(outcome.exit_status, 1);
    EXPECT_EQ(controller.watch_requests[0].revision(), 3U);
    EXPECT_EQ(Value::parse(outcome.err).at("error").at("reason"), "REVISION_GONE");
}

TEST(Errors, AreJsonWhereTheOutputIs) {
    FakeController controller;
    controller.refusal = rpc::toGrpc(because(notFound("no image 'x'"), reason::kImageNotFound, {{"image", "x"}}));
    const Outcome json = slicectl(controller, {"image", "rm", "x", "-o", "json"});
    EXPECT_EQ(json.exit_status, 3);
    EXPECT_EQ(json.out, "");
    const Value error = Value::parse(json.err).at("error");
    EXPECT_EQ(error.at("code"), "NOT_FOUND");
    EXPECT_EQ(error.at("reason"), "IMAGE_NOT_FOUND");
    EXPECT_EQ(error.at("message"), "no image 'x'");
    EXPECT_EQ(error.at("metadata").at("image"), "x");
    EXPECT_EQ(slicectl(controller, {"image", "rm", "x"}).err, "slicectl: no image 'x'\n");
}

TEST(Errors, ARequestThatCameTooSoonIsMadeAgain) {
    FakeController controller;
    controller.refuse_once =
        rpc::toGrpc(because(resourceExhausted("slower"), reason::kRateLimited, {{kRetryAfterFact, "20"}}));
    const Outcome outcome = slicectl(controller, {"image", "rm", "x"});
    EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
    EXPECT_EQ(controller.deleted, "x");
}

TEST(Pages, AreAskedForUpToTheLast) {
    FakeController controller;
    controller.user_pages = {{"alice", "bob"}, {"carol"}, {}};
    const Value users = Value::parse(slicectl(controller, {"user", "ls", "-o", "json"}).out);
    ASSERT_THAT(users, SizeIs(3));
    EXPECT_EQ(users.at(2).at("name"), "carol");
}

}  // namespace
}  // namespace homeslice::ctl
