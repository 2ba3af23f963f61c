// What a server's door takes, and that nothing shuts it.
#include "rpc/acceptor.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>

#include "base/ipv6.h"
#include "base/status.h"
#include "rpc/listen.h"
#include "rpc/reflection.h"

namespace homeslice::rpc {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

constexpr milliseconds kSilence{5000};
constexpr std::chrono::seconds kPatience{20};

class AcceptorTest : public testing::Test {
protected:
    AcceptorTest() = default;
    explicit AcceptorTest(const Acceptor::Limits& limits) : limits_(limits) {}

    void SetUp() override {
        std::string directory = (std::filesystem::temp_directory_path() / "hst-rpc-XXXXXX").string();
        ASSERT_NE(::mkdtemp(directory.data()), nullptr);
        directory_ = directory;
        grpc::ServerBuilder builder;
        const auto port = acceptor_.listen(builder, "[::1]:0", grpc::InsecureServerCredentials());
        ASSERT_TRUE(port.ok()) << port.status();
        port_ = *port;
        ASSERT_TRUE(acceptor_.listen(builder, socket(), grpc::InsecureServerCredentials()).ok());
        reflection_.registerWith(builder);
        server_ = builder.BuildAndStart();
        ASSERT_NE(server_, nullptr);
        ASSERT_EQ(acceptor_.start(), absl::OkStatus());
    }
    void TearDown() override {
        acceptor_.stop();
        if (server_ != nullptr) server_->Shutdown();
        std::filesystem::remove_all(directory_);
    }

    std::string socket() const { return "unix:" + directory_ + "/socket"; }
    std::string tcp() const { return "[::1]:" + std::to_string(port_); }

    static bool serves(const std::string& address) {
        const auto channel = grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
        return channel->WaitForConnected(std::chrono::system_clock::now() + kPatience);
    }
    UniqueFd connectRaw() const {
        UniqueFd fd(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in6 address{};
        address.sin6_family = AF_INET6;
        address.sin6_addr = in6addr_loopback;
        address.sin6_port = htons(port_);
        EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        return fd;
    }
    // A server greets whom it has accepted with its settings (RFC 9113 3.4).
    static bool isGreeted(const UniqueFd& fd, milliseconds within) {
        pollfd waited{.fd = fd.get(), .events = POLLIN, .revents = 0};
        return ::poll(&waited, 1, static_cast<int>(within.count())) == 1;
    }

    const Acceptor::Limits limits_{.silence = kSilence};
    std::string directory_;
    uint16_t port_ = 0;
    Reflection reflection_{{}, [](const grpc::CallbackServerContext&) { return absl::OkStatus(); }};
    Acceptor acceptor_{limits_};
    std::unique_ptr<grpc::Server> server_;
};

TEST_F(AcceptorTest, ServesByTcpAndByUnixSockets) {
    EXPECT_TRUE(serves(tcp()));
    EXPECT_TRUE(serves(socket()));
    struct stat file {};
    ASSERT_EQ(::stat((directory_ + "/socket").c_str(), &file), 0);
    EXPECT_EQ(file.st_mode & 0777, 0600u);
}

TEST_F(AcceptorTest, WhoResetsConnectionsHarmsNobody) {
    constexpr int kMany = 500;
    const linger reset{.l_onoff = 1, .l_linger = 0};
    for (int i = 0; i < kMany; ++i) {
        const UniqueFd fd = connectRaw();
        ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    }
    EXPECT_TRUE(serves(tcp()));
}

TEST_F(AcceptorTest, GoesOnWhenThereAreDescriptorsAgain) {
    const UniqueFd first = connectRaw();  // stays: its end would leave a descriptor, some time later
    EXPECT_TRUE(isGreeted(first, kPatience));
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    const rlimit few{.rlim_cur = 256, .rlim_max = before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
    std::vector<UniqueFd> all;
    for (int fd = 0; (fd = ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)) >= 0;) all.emplace_back(fd);
    all.pop_back();
    const UniqueFd client = connectRaw();
    EXPECT_FALSE(isGreeted(client, milliseconds(300))) << "there was a descriptor left";
    all.clear();
    EXPECT_TRUE(isGreeted(client, kPatience));
    EXPECT_TRUE(serves(tcp()));
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
}

class FewNewcomersTest : public AcceptorTest {
protected:
    explicit FewNewcomersTest(milliseconds newcomer_time = std::chrono::hours(1))
        : AcceptorTest(Acceptor::Limits{.silence = kSilence, .newcomers = 1, .newcomer_time = newcomer_time}) {}
};

TEST_F(FewNewcomersTest, WaitUntilTheOnesBeforeAreInUse) {
    const UniqueFd first = connectRaw();
    EXPECT_TRUE(isGreeted(first, kPatience));
    const UniqueFd second = connectRaw();
    EXPECT_FALSE(isGreeted(second, milliseconds(200)));
    EXPECT_TRUE(serves(socket())) << "the machine's own door";
    acceptor_.callBegan();
    EXPECT_TRUE(isGreeted(second, kPatience));
}

TEST_F(FewNewcomersTest, WhoHasLeftIsPassedOver) {
    const UniqueFd first = connectRaw();
    EXPECT_TRUE(isGreeted(first, kPatience));
    { const UniqueFd gone = connectRaw(); }
    const UniqueFd last = connectRaw();
    acceptor_.callBegan();
    EXPECT_TRUE(isGreeted(last, kPatience));
}

class ShortNewcomersTest : public FewNewcomersTest {
protected:
    ShortNewcomersTest() : FewNewcomersTest(milliseconds(100)) {}
};

TEST_F(ShortNewcomersTest, WhoSaysNothingKeepsNobodyOutForLong) {
    const UniqueFd first = connectRaw();
    EXPECT_TRUE(isGreeted(first, kPatience));
    const UniqueFd second = connectRaw();
    EXPECT_TRUE(isGreeted(second, kPatience));
}

TEST_F(AcceptorTest, SaysWhyItCannotListen) {
    EXPECT_EQ(errnoOf(listenOn(tcp()).status()), EADDRINUSE);
    EXPECT_THAT(messageOf(listenOn(tcp()).status()), HasSubstr(tcp()));
    EXPECT_EQ(errnoOf(listenOn(socket()).status()), EADDRINUSE);
    for (const char* bad : {"", "7400", ":7400", "[::1]", "::1:7400", "localhost:7400", "[::1]:99999999", "unix:"}) {
        EXPECT_EQ(listenOn(bad).status().code(), absl::StatusCode::kInvalidArgument) << bad;
    }
}

TEST_F(AcceptorTest, TakesTheSocketOfOneThatDied) {
    const std::string path = directory_ + "/old";
    { ASSERT_TRUE(listenOn("unix:" + path).ok()); }
    EXPECT_TRUE(std::filesystem::exists(path));
    EXPECT_TRUE(listenOn("unix:" + path).ok());
}

}  // namespace
}  // namespace homeslice::rpc
