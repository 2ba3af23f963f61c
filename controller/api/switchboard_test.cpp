// NodeLink.Listen and NodeLink.Dial: bytes find their way to a node that only calls.
#include "controller/api/switchboard.h"

#include <gmock/gmock.h>

#include <future>

#include "base/ipv4.h"
#include "base/nat.h"
#include "controller/api/api_fixture.h"

namespace homeslice::controller {
namespace {

using testing::HasSubstr;
using testing_support::ApiTest;

const Ipv6Address kPrivate = parseAddress("192.168.1.2").value();

class SwitchboardTest : public ApiTest {
protected:
    using Listening = grpc::ClientReaderWriter<v1::Chunk, v1::Chunk>;
    using Dialling = grpc::ClientReaderWriter<v1::DialRequest, v1::Chunk>;

    // A call that waits at the controller.
    struct Listener {
        grpc::ClientContext context;
        std::unique_ptr<v1::NodeLink::Stub> stub;
        std::unique_ptr<Listening> stream;
    };
    std::unique_ptr<Listener> listen(const tls::Credentials& node) {
        auto listener = std::make_unique<Listener>();
        listener->stub = v1::NodeLink::NewStub(channelAs(node));
        listener->stream = listener->stub->Listen(&listener->context);
        return listener;
    }
    struct Dialler {
        grpc::ClientContext context;
        std::unique_ptr<v1::NodeLink::Stub> stub;
        std::unique_ptr<Dialling> stream;

        bool say(const std::string& data) const {
            v1::DialRequest request;
            request.set_data(data);
            return stream->Write(request);
        }
    };
    std::unique_ptr<Dialler> dial(const tls::Credentials& node, const std::string& called) {
        auto dialler = std::make_unique<Dialler>();
        dialler->stub = v1::NodeLink::NewStub(channelAs(node));
        dialler->stream = dialler->stub->Dial(&dialler->context);
        v1::DialRequest request;
        request.set_care_of_address(behindNat(kPrivate, called).toBytes());
        dialler->stream->Write(request);
        return dialler;
    }
    // A way from node2 to node1.
    void connectNodes() {
        if (node1_ == nullptr) node1_ = nodeCredentials("node1");
        if (node2_ == nullptr) node2_ = nodeCredentials("node2");
        listener_ = listen(*node1_);
        listener_->stream->WaitForInitialMetadata();
        dialler_ = dial(*node2_, "node1");
        EXPECT_TRUE(dialler_->say("first"));
        v1::Chunk chunk;
        ASSERT_TRUE(listener_->stream->Read(&chunk));
        EXPECT_EQ(chunk.data(), "first");
    }
    template <typename Stream>
    static std::string readBytes(Stream& stream, size_t count) {
        std::string all;
        v1::Chunk chunk;
        while (all.size() < count && stream.Read(&chunk)) all += chunk.data();
        return all;
    }

    std::shared_ptr<tls::Credentials> node1_;
    std::shared_ptr<tls::Credentials> node2_;
    std::unique_ptr<Listener> listener_;
    std::unique_ptr<Dialler> dialler_;
};

TEST_F(SwitchboardTest, BytesGoBothWaysAsTheyAre) {
    ASSERT_NO_FATAL_FAILURE(connectNodes());
    std::string bulk(4U << 20, '\0');
    for (size_t i = 0; i < bulk.size(); ++i) bulk[i] = static_cast<char>((i * 2654435761U) >> 13);
    auto up = std::async(std::launch::async, [&] {
        for (size_t at = 0; at < bulk.size(); at += 100'000)
            if (!dialler_->say(bulk.substr(at, 100'000))) return false;
        return true;
    });
    auto down = std::async(std::launch::async, [&] {
        v1::Chunk chunk;
        for (size_t at = 0; at < bulk.size(); at += 100'000) {
            chunk.set_data(bulk.substr(at, 100'000));
            if (!listener_->stream->Write(chunk)) return false;
        }
        return true;
    });
    auto taken = std::async(std::launch::async, [&] { return readBytes(*dialler_->stream, bulk.size()); });
    EXPECT_TRUE(readBytes(*listener_->stream, bulk.size()) == bulk);
    EXPECT_TRUE(taken.get() == bulk);
    EXPECT_TRUE(up.get());
    EXPECT_TRUE(down.get());
}

TEST_F(SwitchboardTest, TheEndOfOneIsTheEndOfTheOther) {
    ASSERT_NO_FATAL_FAILURE(connectNodes());
    listener_->context.TryCancel();
    v1::Chunk chunk;
    EXPECT_FALSE(dialler_->stream->Read(&chunk));
    EXPECT_TRUE(dialler_->stream->Finish().ok());
    EXPECT_FALSE(listener_->stream->Read(&chunk));
    listener_->stream->Finish();

    ASSERT_NO_FATAL_FAILURE(connectNodes());
    dialler_->stream->WritesDone();
    EXPECT_FALSE(listener_->stream->Read(&chunk));
    EXPECT_TRUE(listener_->stream->Finish().ok());
    dialler_->stream->Finish();
}

TEST_F(SwitchboardTest, NobodyAnswersForANodeThatDoesNotListen) {
    const auto node = nodeCredentials("node1");
    const auto dialler = dial(*node, "node7");
    v1::Chunk chunk;
    EXPECT_FALSE(dialler->stream->Read(&chunk));
    const grpc::Status status = dialler->stream->Finish();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
    EXPECT_THAT(status.error_message(), HasSubstr("192.168.1.2 (NAT)"));
}

TEST_F(SwitchboardTest, MalformedAddressesAreRefused) {
    const auto node = nodeCredentials("node1");
    grpc::ClientContext context;
    const auto stub = v1::NodeLink::NewStub(channelAs(*node));
    const auto stream = stub->Dial(&context);
    v1::DialRequest request;
    request.set_care_of_address("short");
    stream->Write(request);
    v1::Chunk chunk;
    EXPECT_FALSE(stream->Read(&chunk));
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(SwitchboardTest, IsForNodes) {
    const auto user = userCredentials("bob");
    v1::Chunk chunk;
    const auto listener = listen(*user);
    EXPECT_FALSE(listener->stream->Read(&chunk));
    EXPECT_EQ(listener->stream->Finish().error_code(), grpc::StatusCode::PERMISSION_DENIED);
    const auto dialler = dial(*user, "node1");
    EXPECT_FALSE(dialler->stream->Read(&chunk));
    EXPECT_EQ(dialler->stream->Finish().error_code(), grpc::StatusCode::PERMISSION_DENIED);
}

TEST_F(SwitchboardTest, ANodeThatListensTooMuchLosesItsOldestCall) {
    const auto node = nodeCredentials("node1");
    std::vector<std::unique_ptr<Listener>> listeners;
    for (int i = 0; i < 5; ++i) listeners.push_back(listen(*node));
    // Which of them came first only the controller knows.
    std::vector<std::future<grpc::Status>> ends;
    for (const auto& listener : listeners) {
        ends.push_back(std::async(std::launch::async, [&listener] {
            v1::Chunk chunk;
            while (listener->stream->Read(&chunk)) continue;
            return listener->stream->Finish();
        }));
    }
    const auto isOver = [](const auto& end) {
        return end.wait_for(std::chrono::milliseconds(10)) == std::future_status::ready;
    };
    while (std::none_of(ends.begin(), ends.end(), isOver)) continue;
    for (const auto& listener : listeners) listener->context.TryCancel();
    int refused = 0;
    for (auto& end : ends)
        if (end.get().error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED) ++refused;
    EXPECT_EQ(refused, 1);
}

}  // namespace
}  // namespace homeslice::controller
