// Lists in pages, over real gRPC: nothing twice, nothing left out, whatever comes and goes meanwhile.
#include <gmock/gmock.h>

#include <algorithm>

#include "base/reason.h"
#include "controller/api/api_fixture.h"
#include "rpc/status.h"

namespace homeslice::controller {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::IsEmpty;
using testing_support::ApiTest;
using Stub = v1::ControllerService::Stub;

class PagesTest : public ApiTest {
protected:
    // All pages: `names(response)` says what is on one; `between` is called after each.
    template <typename Request, typename Response, typename Names>
    std::vector<std::string> all(
        grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*), Request request,
        uint32_t page_size, const Names& names, const std::function<void()>& between = [] {}) {
        std::vector<std::string> found;
        request.set_page_size(page_size);
        pages_ = 0;
        do {
            Response response;
            const grpc::Status status = call(method, request, &response);
            EXPECT_TRUE(status.ok()) << status.error_message();
            const std::vector<std::string> page = names(response);
            EXPECT_LE(page.size(), page_size);
            found.insert(found.end(), page.begin(), page.end());
            request.set_page_token(response.next_page_token());
            ++pages_;
            between();
        } while (!request.page_token().empty() && pages_ < 1000);
        return found;
    }
    static std::vector<std::string> userNames(const v1::ListUsersResponse& response) {
        std::vector<std::string> names;
        for (const v1::User& user : response.users()) names.push_back(user.name());
        return names;
    }
    void addUser(const std::string& name) {
        v1::AddUserRequest request;
        request.set_name(name);
        v1::JoinToken token;
        ASSERT_TRUE(call(&Stub::AddUser, request, &token).ok());
    }
    void removeUser(const std::string& name) {
        v1::RemoveUserRequest request;
        request.set_name(name);
        v1::RemoveUserResponse response;
        ASSERT_TRUE(call(&Stub::RemoveUser, request, &response).ok());
    }
    v1::Operation createSlice(const std::string& name, uint32_t slivers) {
        v1::CreateSliceRequest request;
        request.set_name(name);
        request.mutable_base()->set_image("busybox");
        request.add_nodes("node1");
        request.set_sliver_count(slivers);
        v1::Operation operation;
        const grpc::Status status = call(&Stub::CreateSlice, request, &operation);
        EXPECT_TRUE(status.ok()) << status.error_message();
        return operation;
    }

    int pages_ = 0;
};

TEST_F(PagesTest, WhatIsThereThroughoutComesOnceWhateverElseHappens) {
    for (const char* name : {"b", "d", "f", "h"}) addUser(name);
    int step = 0;
    const auto found = all(&Stub::ListUsers, v1::ListUsersRequest(), 2, userNames, [&] {
        // After the page with "b" and "d".
        if (++step != 1) return;
        addUser("a");
        addUser("e");
        removeUser("b");
        removeUser("f");
    });
    EXPECT_THAT(found, ElementsAre("b", "d", "e", "h"));
    EXPECT_EQ(pages_, 2);
}

TEST_F(PagesTest, SliversAndSlicesAndNodesComeInPages) {
    bringUpWeb();
    waitFor(createSlice("db", 10).id());
    const auto slivers = [](const v1::ListSliversResponse& response) {
        std::vector<std::string> names;
        for (const v1::Sliver& each : response.slivers()) {
            names.push_back(each.id().slice() + "/" + std::to_string(each.id().index()));
        }
        return names;
    };
    std::vector<std::string> expected;
    for (int i = 1; i <= 10; ++i) expected.push_back("db/" + std::to_string(i));
    v1::ListSliversRequest of_db;
    of_db.set_slice("db");
    EXPECT_THAT(all(&Stub::ListSlivers, of_db, 3, slivers), ElementsAreArray(expected));
    EXPECT_EQ(pages_, 4);
    expected.emplace_back("web/1");
    EXPECT_THAT(all(&Stub::ListSlivers, v1::ListSliversRequest(), 3, slivers), ElementsAreArray(expected));
    EXPECT_THAT(all(&Stub::ListSlivers, v1::ListSliversRequest(), 11, slivers), ElementsAreArray(expected));
    EXPECT_EQ(pages_, 1) << "no empty page behind a last one that is full";
    const auto slices = [](const v1::ListSlicesResponse& response) {
        std::vector<std::string> names;
        for (const v1::Slice& each : response.slices()) names.push_back(each.name());
        return names;
    };
    EXPECT_THAT(all(&Stub::ListSlices, v1::ListSlicesRequest(), 1, slices), ElementsAre("db", "web"));
    const auto nodes = [](const v1::ListNodesResponse& response) {
        std::vector<std::string> names;
        for (const v1::Node& each : response.nodes()) names.push_back(each.name());
        return names;
    };
    EXPECT_THAT(all(&Stub::ListNodes, v1::ListNodesRequest(), 1, nodes), ElementsAre("node1", "node2"));
}

TEST_F(PagesTest, OperationsAreOldestFirstFromTheNewestThatWereAskedFor) {
    bringUpWeb();
    std::vector<std::string> ids;
    for (int i = 0; i < 5; ++i) ids.push_back(createSlice("s" + std::to_string(i), 1).id());
    const auto names = [](const v1::ListOperationsResponse& response) {
        std::vector<std::string> found;
        for (const v1::Operation& each : response.operations()) found.push_back(each.id());
        return found;
    };
    v1::ListOperationsRequest request;
    request.set_newest(4);
    std::string late;
    const auto found = all(&Stub::ListOperations, request, 2, names, [&] {
        if (late.empty()) late = createSlice("late", 1).id();
    });
    EXPECT_THAT(found, ElementsAre(ids[1], ids[2], ids[3], ids[4], late));
}

TEST_F(PagesTest, TheAuditLogOfOneInstantComesInPagesToo) {
    const int64_t now_us = systemClock().utc_us();
    for (int i = 0; i < 7; ++i) ASSERT_TRUE(store_->record({now_us, "alice", "Do", std::to_string(i), "ok"}).ok());
    const auto subjects = [](const v1::ListAuditResponse& response) {
        std::vector<std::string> found;
        for (const v1::AuditEntry& each : response.entries()) found.push_back(each.subject());
        return found;
    };
    v1::ListAuditRequest request;
    request.set_newest(6);
    EXPECT_THAT(all(&Stub::ListAudit, request, 2, subjects), ElementsAre("1", "2", "3", "4", "5", "6"));
    EXPECT_EQ(pages_, 3);
}

TEST_F(PagesTest, BindingsComeInPages) {
    addNode("node1", true);
    addNode("node2", true);
    const auto agents = [](const v1::ListBindingsResponse& response) {
        std::vector<std::string> found;
        for (const v1::HomeBinding& each : response.bindings()) found.push_back(each.home_agent());
        return found;
    };
    EXPECT_THAT(all(&Stub::ListBindings, v1::ListBindingsRequest(), 1, agents), ElementsAre("node1", "node2"));
    EXPECT_EQ(pages_, 2);
}

// Clients of gRPC take 4 MiB unless they are told otherwise.
TEST_F(PagesTest, APageOfLargeThingsEndsBeforeItIsTooLarge) {
    bringUpWeb();
    for (int i = 0; i < 3; ++i) {
        CreateSliceRequest large;
        large.name = "s" + std::to_string(i);
        large.base.image = "busybox";
        large.base.files.push_back({.path = "/etc/it", .content = std::string(700'000, 'x')});
        large.where.nodes = {"node1"};
        ASSERT_TRUE(controller_->createSlice(large).ok());
    }
    v1::ListSlicesRequest request;
    int found = 0;
    int pages = 0;
    do {
        v1::ListSlicesResponse response;
        const grpc::Status status = call(&Stub::ListSlices, request, &response);
        ASSERT_TRUE(status.ok()) << status.error_message();
        EXPECT_LT(response.ByteSizeLong(), 4U << 20);
        found += response.slices_size();
        request.set_page_token(response.next_page_token());
    } while (++pages < 100 && !request.page_token().empty());
    EXPECT_EQ(found, 4);
    EXPECT_EQ(pages, 2);
}

TEST_F(PagesTest, RefusesTokensThatItDidNotGiveOutForTheSame) {
    for (const char* name : {"b", "d"}) addUser(name);
    v1::ListUsersRequest users;
    users.set_page_size(1);
    v1::ListUsersResponse first;
    ASSERT_TRUE(call(&Stub::ListUsers, users, &first).ok());
    ASSERT_FALSE(first.next_page_token().empty());
    for (const std::string& token : {std::string("x"), std::string("!!!"), std::string(5000, 'A')}) {
        users.set_page_token(token);
        const grpc::Status status = call(&Stub::ListUsers, users, &first);
        EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << token;
        EXPECT_EQ(reasonOf(rpc::fromGrpc(status)).word, reason::kPageTokenInvalid);
    }
    users.clear_page_token();
    ASSERT_TRUE(call(&Stub::ListUsers, users, &first).ok());
    v1::ListNodesRequest nodes;
    nodes.set_page_token(first.next_page_token());
    v1::ListNodesResponse response;
    EXPECT_EQ(reasonOf(rpc::fromGrpc(call(&Stub::ListNodes, nodes, &response))).word, reason::kPageTokenInvalid);
}

}  // namespace
}  // namespace homeslice::controller
