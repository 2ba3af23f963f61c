// Watch over real gRPC.
#include <gmock/gmock.h>

#include <algorithm>

#include "base/reason.h"
#include "controller/api/api_fixture.h"
#include "rpc/status.h"

namespace homeslice::controller {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using testing_support::ApiTest;
using Stub = v1::ControllerService::Stub;

std::string textOf(const v1::WatchEvent& event) {
    switch (event.what_case()) {
        case v1::WatchEvent::kNode:
            return "node " + event.node().name();
        case v1::WatchEvent::kSlice:
            return "slice " + event.slice().name();
        case v1::WatchEvent::kSliver:
            return "sliver " + event.sliver().id().slice() + "/" + std::to_string(event.sliver().id().index()) + " " +
                   v1::SliverState_Name(event.sliver().state());
        case v1::WatchEvent::kOperation:
            return event.operation().kind() + " " + v1::OperationState_Name(event.operation().state());
        case v1::WatchEvent::kGone:
            return "gone " + event.gone().name();
        case v1::WatchEvent::kLeaseWarning:
            return "lease " + event.lease_warning().slice();
        case v1::WatchEvent::WHAT_NOT_SET:
            return "nothing";
    }
    return "";
}

// A watch that is read on the test's own thread.
class Watch {
public:
    Watch(Stub& stub, const v1::WatchRequest& request) : reader_(stub.Watch(&context_, request)) {}
    ~Watch() {
        context_.TryCancel();
        while (reader_ != nullptr && reader_->Read(&response_)) continue;
    }
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

    // Reads on until the picture is whole.
    std::vector<std::string> whole() {
        std::vector<std::string> texts;
        do {
            if (!next(texts)) break;
        } while (!response_.whole());
        return texts;
    }
    // Reads on until the event has come; everything that came up to then.
    std::vector<std::string> until(const std::string& text) {
        std::vector<std::string> texts;
        while (std::find(texts.begin(), texts.end(), text) == texts.end()) {
            if (!next(texts)) break;
        }
        EXPECT_THAT(texts, Contains(text));
        return texts;
    }
    bool next(std::vector<std::string>& texts) {
        if (!reader_->Read(&response_)) return false;
        for (const v1::WatchEvent& event : response_.events()) texts.push_back(textOf(event));
        if (response_.revision() != 0) revision_ = response_.revision();
        return true;
    }
    grpc::Status finish() {
        while (reader_->Read(&response_)) continue;
        return std::exchange(reader_, nullptr)->Finish();
    }
    uint64_t revision() const { return revision_; }

private:
    grpc::ClientContext context_;
    v1::WatchResponse response_;
    std::unique_ptr<grpc::ClientReader<v1::WatchResponse>> reader_;
    uint64_t revision_ = 0;
};

v1::WatchRequest from(uint64_t revision, std::initializer_list<v1::WatchKind> kinds = {}) {
    v1::WatchRequest request;
    request.set_revision(revision);
    for (const v1::WatchKind kind : kinds) request.add_kinds(kind);
    return request;
}

TEST_F(ApiTest, AWatchShowsASlicesLifeAsItHappens) {
    bringUpWeb();
    Watch watch(*stub_, from(0, {v1::WATCH_KIND_SLICE, v1::WATCH_KIND_SLIVER}));
    EXPECT_THAT(watch.whole(), ElementsAre("slice web", "sliver web/1 SLIVER_STATE_RUNNING"));
    v1::SetFrozenRequest freeze;
    freeze.mutable_id()->set_slice("web");
    freeze.set_frozen(true);
    v1::Operation operation;
    ASSERT_TRUE(call(&Stub::SetFrozen, freeze, &operation).ok());
    watch.until("sliver web/1 SLIVER_STATE_FROZEN");
    v1::DeleteSliceRequest deletion;
    deletion.set_name("web");
    ASSERT_TRUE(call(&Stub::DeleteSlice, deletion, &operation).ok());
    EXPECT_THAT(watch.until("gone web"), Contains("gone web/1"));
}

TEST_F(ApiTest, AWatchGoesOnWhereItWasCutOff) {
    bringUpWeb();
    uint64_t revision = 0;
    {
        Watch watch(*stub_, from(0));
        watch.whole();
        revision = watch.revision();
    }
    v1::AddUserRequest user;  // something that nobody watches
    user.set_name("alice");
    v1::JoinToken token;
    ASSERT_TRUE(call(&Stub::AddUser, user, &token).ok());
    v1::SetNodeRequest label;
    label.set_name("node2");
    (*label.mutable_labels())["rack"] = "r1";
    v1::Node node;
    ASSERT_TRUE(call(&Stub::SetNode, label, &node).ok());
    Watch watch(*stub_, from(revision));
    std::vector<std::string> missed;
    ASSERT_TRUE(watch.next(missed));
    EXPECT_THAT(missed, ElementsAre("node node2"));
    EXPECT_GT(watch.revision(), revision);
    // Nothing is missed now: the watch says so at once.
    Watch again(*stub_, from(watch.revision()));
    missed.clear();
    ASSERT_TRUE(again.next(missed));
    EXPECT_THAT(missed, IsEmpty());
}

TEST_F(ApiTest, AfterARestartAWatchGoesOnOrBeginsAnew) {
    uint64_t revision = 0;
    {
        Watch watch(*stub_, from(0));
        watch.whole();
        revision = watch.revision();
    }
    stop();
    start();
    {
        Watch watch(*stub_, from(revision));
        std::vector<std::string> missed;
        EXPECT_TRUE(watch.next(missed)) << watch.finish().error_message();
        EXPECT_THAT(missed, IsEmpty());
    }
    v1::AddUserRequest user;
    user.set_name("alice");
    v1::JoinToken token;
    ASSERT_TRUE(call(&Stub::AddUser, user, &token).ok());
    stop();
    start();
    Watch watch(*stub_, from(revision));
    const grpc::Status gone = watch.finish();
    EXPECT_EQ(gone.error_code(), grpc::StatusCode::OUT_OF_RANGE);
    const ErrorReason why = reasonOf(rpc::fromGrpc(gone));
    EXPECT_EQ(why.word, reason::kRevisionGone);
    EXPECT_EQ(why.facts.at("oldest"), std::to_string(revision + 1));
}

TEST_F(ApiTest, AUserWatchesOnlyWhatListsShow) {
    bringUpWeb();
    const auto stub = v1::ControllerService::NewStub(channelAs(*userCredentials("alice")));
    Watch watch(*stub, from(0));
    EXPECT_THAT(watch.whole(), ElementsAre("node node1", "node node2"));
    v1::ShareSliceRequest share;
    share.set_name("web");
    share.set_user("alice");
    v1::Slice slice;
    ASSERT_TRUE(call(&Stub::ShareSlice, share, &slice).ok());
    watch.until("sliver web/1 SLIVER_STATE_RUNNING");
    share.set_end(true);
    ASSERT_TRUE(call(&Stub::ShareSlice, share, &slice).ok());
    watch.until("gone web/1");
}

TEST_F(ApiTest, AWatchOfARemovedUserEnds) {
    const auto stub = v1::ControllerService::NewStub(channelAs(*userCredentials("alice")));
    Watch watch(*stub, from(0));
    watch.whole();
    v1::RemoveUserRequest removal;
    removal.set_name("alice");
    v1::RemoveUserResponse removed;
    ASSERT_TRUE(call(&Stub::RemoveUser, removal, &removed).ok());
    server_->tick();
    EXPECT_EQ(watch.finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(ApiTest, WatchersWhoDoNotReadHoldUpNobody) {
    bringUpWeb();
    std::vector<std::unique_ptr<Watch>> deaf;
    for (int i = 0; i < 10; ++i) deaf.push_back(std::make_unique<Watch>(*stub_, from(0)));
    Watch hearing(*stub_, from(0, {v1::WATCH_KIND_NODE}));
    hearing.whole();
    v1::SetNodeRequest label;
    label.set_name("node2");
    for (int i = 0; i < 200; ++i) {
        (*label.mutable_labels())["round"] = std::to_string(i);
        v1::Node node;
        ASSERT_TRUE(call(&Stub::SetNode, label, &node).ok());
    }
    hearing.until("node node2");
}

TEST_F(ApiTest, MalformedWatchesAreRefused) {
    v1::WatchRequest request;
    request.add_kinds(static_cast<v1::WatchKind>(99));
    EXPECT_EQ(Watch(*stub_, request).finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    request.clear_kinds();
    request.set_slice("../x");
    EXPECT_EQ(Watch(*stub_, request).finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    request.clear_slice();
    request.set_revision(UINT64_MAX);
    EXPECT_EQ(Watch(*stub_, request).finish().error_code(), grpc::StatusCode::OUT_OF_RANGE);
}

}  // namespace
}  // namespace homeslice::controller
