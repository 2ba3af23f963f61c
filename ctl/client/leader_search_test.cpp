#include "ctl/client/leader_search.h"

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <future>

#include "base/reason.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "rpc/status.h"

namespace homeslice::ctl {
namespace {

constexpr std::chrono::seconds kPatience{20};

// Answers every call; as a follower while it names a leader, else as one that leads and does not know the method.
class FakeServer : public grpc::CallbackGenericService {
public:
    FakeServer() {
        grpc::ServerBuilder builder;
        builder.AddListeningPort("[::1]:0", grpc::InsecureServerCredentials(), &port_);
        builder.RegisterCallbackGenericService(this);
        server_ = builder.BuildAndStart();
    }
    ~FakeServer() override { server_->Shutdown(); }

    std::string address() const { return "[::1]:" + std::to_string(port_); }
    void follow(const std::string& leader) {
        const std::lock_guard lock(mutex_);
        leader_ = leader;
    }
    void awaitQuestions(int count) {
        std::unique_lock lock(mutex_);
        asked_.wait_for(lock, kPatience, [&] { return questions_ >= count; });
    }

    grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* context) override {
        const std::lock_guard lock(mutex_);
        ++questions_;
        asked_.notify_all();
        if (leader_.empty()) return new Answer({grpc::StatusCode::UNIMPLEMENTED, ""});
        context->AddTrailingMetadata(leader::kLeaderMetadata, leader_);
        return new Answer(rpc::toGrpc(because(unavailable("ask there"), reason::kNotLeading)));
    }

private:
    class Answer : public grpc::ServerGenericBidiReactor {
    public:
        explicit Answer(const grpc::Status& status) { Finish(status); }
        void OnDone() override { delete this; }
    };

    int port_ = 0;
    std::mutex mutex_;
    std::condition_variable asked_;
    int questions_ = 0;
    std::string leader_;
    std::unique_ptr<grpc::Server> server_;
};

// Takes connections and says nothing, as a machine that was cut off.
class SilentServer {
public:
    SilentServer() : socket_(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in6 own{};
        own.sin6_family = AF_INET6;
        own.sin6_addr = in6addr_loopback;
        socklen_t size = sizeof(own);
        EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&own), size), 0);
        EXPECT_EQ(::listen(socket_.get(), 8), 0);
        EXPECT_EQ(::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&own), &size), 0);
        port_ = ntohs(own.sin6_port);
    }
    std::string address() const { return "[::1]:" + std::to_string(port_); }

private:
    const UniqueFd socket_;
    int port_ = 0;
};

leader::Controllers controllersAt(const std::vector<std::string>& addresses) {
    return {addresses, [](const std::string& address) {
                grpc::ChannelArguments arguments;
                arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
                return grpc::CreateCustomChannel("dns:///" + address, grpc::InsecureChannelCredentials(), arguments);
            }};
}

TEST(LeaderSearch, ASilentOneDoesNotHoldItThoughAFollowerNamesIt) {
    const SilentServer silent;
    FakeServer follower;
    FakeServer next;
    follower.follow(silent.address());
    next.follow(silent.address());
    auto controllers = controllersAt({silent.address(), follower.address(), next.address()});
    LeaderSearch search(controllers);
    std::thread election([&] {
        next.awaitQuestions(2);
        next.follow("");
    });
    EXPECT_EQ(search.run(kPatience), LeaderSearch::End::found);
    EXPECT_EQ(search.leader(), next.address());
    election.join();
}

TEST(LeaderSearch, FindsOneThatIsNamedOnly) {
    FakeServer follower;
    FakeServer leading;
    follower.follow(leading.address());
    auto controllers = controllersAt({follower.address()});
    LeaderSearch search(controllers);
    EXPECT_EQ(search.run(kPatience), LeaderSearch::End::found);
    EXPECT_EQ(search.leader(), leading.address());
}

TEST(LeaderSearch, SaysWhyThereIsNone) {
    FakeServer follower;
    follower.follow("[::1]:1");
    auto controllers = controllersAt({"[::1]:1", "[::1]:2"});
    EXPECT_EQ(LeaderSearch(controllers).run(kPatience), LeaderSearch::End::nobody_answers);
    auto following = controllersAt({"[::1]:1", follower.address()});
    EXPECT_EQ(LeaderSearch(following).run(std::chrono::milliseconds(300)), LeaderSearch::End::nobody_leads);
    LeaderSearch stopped(following);
    stopped.stop();
    EXPECT_EQ(stopped.run(kPatience), LeaderSearch::End::stopped);
}

TEST(Lookout, LeavesOneThatIsSilentWhenAnotherLeadsAndNotBefore) {
    const SilentServer silent;
    FakeServer other;
    other.follow(silent.address());
    auto controllers = controllersAt({silent.address(), other.address()});
    grpc::ClientContext slow;
    EXPECT_EQ(Lookout(controllers, silent.address(), slow).end(), std::nullopt);
    grpc::ClientContext context;
    Lookout lookout(controllers, silent.address(), context);
    other.follow("");
    grpc::GenericStub stub(controllers.at(silent.address()).channel);
    const grpc::ByteBuffer request(nullptr, 0);
    grpc::ByteBuffer response;
    std::promise<grpc::Status> ended;
    stub.UnaryCall(&context, "/any/Method", grpc::StubOptions(), &request, &response,
                   [&ended](const grpc::Status& status) { ended.set_value(status); });
    EXPECT_EQ(ended.get_future().get().error_code(), grpc::StatusCode::CANCELLED);
    EXPECT_EQ(lookout.end(), other.address());
}

}  // namespace
}  // namespace homeslice::ctl
