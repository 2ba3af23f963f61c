// NodeService over real gRPC; commands are processes of this machine.
#include <absl/status/status.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <future>
#include <thread>

#include "base/file.h"
#include "base/status.h"
#include "homeslice/v1/node.grpc.pb.h"
#include "noded/api/channel.h"
#include "noded/api/fetcher.h"
#include "noded/api/server.h"
#include "noded/api/test_fakes.h"
#include "noded/api/test_pki.h"

namespace homeslice::api {
namespace {

const Ipv6Address kLoopback = Ipv6Address::parse("::1").value();

struct Outcome {
    std::string output;
    std::string errors;
    int exit_status = -1;
    grpc::Status status;
};

class NodeServiceTest : public testing::Test {
protected:
    using ExecStream = grpc::ClientReaderWriter<v1::ExecRequest, v1::ExecResponse>;

    void SetUp() override {
        signal(SIGPIPE, [](int) {});
        auto server = Server::start({.address = kLoopback, .credentials = pki_.node1},
                                    {.manager = manager_,
                                     .forwarder = forwarder_,
                                     .home_agent = nullptr,
                                     .peers = pki_.peers,
                                     .grants = pki_.grants,
                                     .inspect = [] { return "{\"a\": \"\xff\"}"; }});
        ASSERT_TRUE(server.ok()) << server.status();
        server_ = std::move(*server);
        stub_ = v1::NodeService::NewStub(pki_.channelTo(targetOf(kLoopback, server_->port()), *pki_.controller));
        pki_.peers.setDiskReaders({{{.slice = "web", .index = 1}, "node2"}});
    }

    static v1::ExecRequest startOf(const std::vector<std::string>& argv, const std::string& slice = "web") {
        v1::ExecRequest request;
        request.mutable_start()->mutable_sliver()->set_slice(slice);
        request.mutable_start()->mutable_sliver()->set_index(1);
        for (const std::string& word : argv) request.mutable_start()->add_argv(word);
        return request;
    }

    static Outcome collect(ExecStream& stream) {
        Outcome outcome;
        v1::ExecResponse response;
        while (stream.Read(&response)) {
            EXPECT_EQ(outcome.exit_status, -1) << "the exit status is not the last response";
            outcome.output += response.stdout_data();
            outcome.errors += response.stderr_data();
            if (response.has_exit_status()) outcome.exit_status = static_cast<int>(response.exit_status());
        }
        outcome.status = stream.Finish();
        return outcome;
    }

    Outcome run(const std::vector<std::string>& argv, const std::string& input = "") {
        grpc::ClientContext context;
        const auto stream = stub_->Exec(&context);
        stream->Write(startOf(argv));
        std::thread writer([&] {
            constexpr size_t kPiece = size_t{32} * 1024;
            v1::ExecRequest request;
            for (size_t at = 0; at < input.size(); at += kPiece) {
                request.set_stdin_data(input.substr(at, kPiece));
                if (!stream->Write(request)) return;
            }
            request.set_stdin_closed(true);
            stream->Write(request);
        });
        Outcome outcome = collect(*stream);
        writer.join();
        return outcome;
    }

    TestPki pki_;
    FakeManager manager_;
    FakeForwarder forwarder_;
    std::unique_ptr<Server> server_;
    std::unique_ptr<v1::NodeService::Stub> stub_;
};

TEST_F(NodeServiceTest, ExecGivesOutputErrorsAndStatus) {
    const Outcome outcome = run({"sh", "-c", "echo out; echo err >&2; exit 3"});
    EXPECT_TRUE(outcome.status.ok()) << outcome.status.error_message();
    EXPECT_EQ(outcome.output, "out\n");
    EXPECT_EQ(outcome.errors, "err\n");
    EXPECT_EQ(outcome.exit_status, 3);
}

TEST_F(NodeServiceTest, ExecPipesAMegabyteThroughCat) {
    std::string input(1 << 20, '\0');
    for (size_t i = 0; i < input.size(); ++i) input[i] = static_cast<char>(i * 2654435761U >> 24);
    const Outcome outcome = run({"cat"}, input);
    EXPECT_EQ(outcome.exit_status, 0);
    EXPECT_TRUE(outcome.output == input) << outcome.output.size();
}

TEST_F(NodeServiceTest, ExecInputNobodyReadsIsDropped) {
    const Outcome outcome = run({"sh", "-c", "exec <&-; echo done"}, std::string(1 << 20, 'x'));
    EXPECT_EQ(outcome.exit_status, 0);
    EXPECT_EQ(outcome.output, "done\n");
}

TEST_F(NodeServiceTest, ExecDoesNotWaitForDaemonsThatKeepTheOutputOpen) {
    const Outcome outcome = run({"sh", "-c", "sleep 600 & echo $!"});
    EXPECT_EQ(outcome.exit_status, 0);
    const pid_t daemon = std::stoi(outcome.output);
    EXPECT_EQ(kill(daemon, SIGKILL), 0) << "the daemon should have been left alone";
}

TEST_F(NodeServiceTest, ExecSlowClientHoldsTheCommandBack) {
    grpc::ClientContext context;
    const auto stream = stub_->Exec(&context);
    stream->Write(startOf({"sh", "-c", "head -c 33554432 /dev/zero; echo end >&2"}));
    v1::ExecResponse response;
    ASSERT_TRUE(stream->Read(&response));
    // The command cannot be through: its end would be in ended_pids.
    manager_.seen.change([&] { EXPECT_TRUE(manager_.ended_pids.empty()); });
    size_t bytes = response.stdout_data().size();
    while (stream->Read(&response)) bytes += response.stdout_data().size();
    EXPECT_TRUE(stream->Finish().ok());
    EXPECT_EQ(bytes, 33554432U);
}

TEST_F(NodeServiceTest, ExecTakesSignals) {
    grpc::ClientContext context;
    const auto stream = stub_->Exec(&context);
    stream->Write(startOf({"sh", "-c", "trap 'echo got; exit 9' TERM; echo ready; while :; do sleep 0.02; done"}));
    v1::ExecResponse response;
    ASSERT_TRUE(stream->Read(&response));
    ASSERT_EQ(response.stdout_data(), "ready\n");
    v1::ExecRequest request;
    request.set_signal(SIGTERM);
    stream->Write(request);
    const Outcome outcome = collect(*stream);
    EXPECT_EQ(outcome.output, "got\n");
    EXPECT_EQ(outcome.exit_status, 9);
}

TEST_F(NodeServiceTest, ExecCancelKills) {
    grpc::ClientContext context;
    const auto stream = stub_->Exec(&context);
    stream->Write(startOf({"sh", "-c", "echo ready; sleep 600"}));
    v1::ExecResponse response;
    ASSERT_TRUE(stream->Read(&response));
    context.TryCancel();
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
    EXPECT_TRUE(manager_.seen.wait([&] { return !manager_.ended_pids.empty(); }));
}

TEST_F(NodeServiceTest, ExecRefusesWithAReason) {
    const auto refused = [&](const v1::ExecRequest& request) {
        grpc::ClientContext context;
        const auto stream = stub_->Exec(&context);
        stream->Write(request);
        return collect(*stream).status;
    };
    EXPECT_EQ(refused(v1::ExecRequest()).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_EQ(refused(startOf({})).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    const grpc::Status missing = refused(startOf({"true"}, "other"));
    EXPECT_EQ(missing.error_code(), grpc::StatusCode::NOT_FOUND);
    EXPECT_THAT(missing.error_message(), testing::HasSubstr("other/1"));
}

TEST_F(NodeServiceTest, ManyExecsAtOnce) {
    std::vector<std::future<Outcome>> all;
    for (int i = 0; i < 40; ++i) {
        all.push_back(std::async(std::launch::async, [this, i] { return run({"cat"}, std::to_string(i)); }));
    }
    for (int i = 0; i < 40; ++i) EXPECT_EQ(all[static_cast<size_t>(i)].get().output, std::to_string(i));
}

class ExecOnTerminalTest : public NodeServiceTest {
protected:
    void SetUp() override {
        NodeServiceTest::SetUp();
        stream_ = stub_->Exec(&context_);
    }
    void begin(const std::string& script) {
        v1::ExecRequest request = startOf({"sh", "-c", script});
        request.mutable_start()->set_tty(true);
        request.mutable_start()->mutable_size()->set_columns(100);
        request.mutable_start()->mutable_size()->set_rows(30);
        stream_->Write(request);
    }
    void type(const std::string& keys) {
        v1::ExecRequest request;
        request.set_stdin_data(keys);
        stream_->Write(request);
    }
    bool shows(const std::string& text) {
        v1::ExecResponse response;
        while (seen_.find(text) == std::string::npos) {
            if (!stream_->Read(&response)) return false;
            seen_ += response.stdout_data();
        }
        return true;
    }

    grpc::ClientContext context_;
    std::unique_ptr<ExecStream> stream_;
    std::string seen_;
};

TEST_F(ExecOnTerminalTest, CarriesKeysSizesAndStatus) {
    begin("stty size; read line; stty size; echo err >&2; exit $line");
    ASSERT_TRUE(shows("30 100\r\n")) << seen_;
    v1::ExecRequest request;
    request.mutable_resize()->set_columns(132);
    request.mutable_resize()->set_rows(50);
    stream_->Write(request);
    type("5\n");
    ASSERT_TRUE(shows("50 132\r\nerr\r\n")) << seen_;
    const Outcome outcome = collect(*stream_);
    EXPECT_TRUE(outcome.status.ok()) << outcome.status.error_message();
    EXPECT_EQ(outcome.exit_status, 5);
}

TEST_F(ExecOnTerminalTest, TheEndOfInputIsAKey) {
    begin("cat; echo through");
    type("a line\nno line");
    v1::ExecRequest request;
    request.set_stdin_closed(true);
    stream_->Write(request);
    stream_->WritesDone();
    const Outcome outcome = collect(*stream_);
    EXPECT_EQ(outcome.exit_status, 0);
    EXPECT_THAT(outcome.output, testing::HasSubstr("no linethrough\r\n"));
}

TEST_F(ExecOnTerminalTest, DetachLeavesTheCommand) {
    begin("echo $$; sleep 600");
    ASSERT_TRUE(shows("\r\n"));
    const pid_t pid = std::stoi(seen_);
    v1::ExecRequest request;
    request.set_detach(true);
    stream_->Write(request);
    const Outcome outcome = collect(*stream_);
    EXPECT_TRUE(outcome.status.ok()) << outcome.status.error_message();
    EXPECT_EQ(outcome.exit_status, 0);
    manager_.seen.change([&] { EXPECT_TRUE(manager_.ended_pids.empty()); });
    EXPECT_EQ(kill(-pid, SIGKILL), 0);
}

TEST_F(ExecOnTerminalTest, RefusesAnImpossibleSize) {
    begin("sleep 600");
    v1::ExecRequest request;
    request.mutable_resize()->set_columns(70'000);
    stream_->Write(request);
    EXPECT_EQ(collect(*stream_).status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(NodeServiceTest, ExecDetachedFromTheStartEndsAtOnce) {
    grpc::ClientContext context;
    const auto stream = stub_->Exec(&context);
    v1::ExecRequest request = startOf({"sleep", "0.1"});
    request.mutable_start()->set_detached(true);
    request.mutable_start()->set_user("ana");
    stream->Write(request);
    const Outcome outcome = collect(*stream);
    EXPECT_TRUE(outcome.status.ok()) << outcome.status.error_message();
    EXPECT_EQ(outcome.exit_status, 0);
    manager_.seen.change([&] { EXPECT_EQ(manager_.last_user, "ana"); });
}

TEST_F(NodeServiceTest, StoppingTheServerEndsCallsAndCommands) {
    grpc::ClientContext context;
    const auto stream = stub_->Exec(&context);
    stream->Write(startOf({"sh", "-c", "echo ready; sleep 600"}));
    v1::ExecResponse response;
    ASSERT_TRUE(stream->Read(&response));
    const auto before = Monotonic::now();
    server_.reset();
    EXPECT_LT(Monotonic::now() - before, std::chrono::seconds(1));
    manager_.seen.change([&] { EXPECT_EQ(manager_.ended_pids.size(), 1U); });
    EXPECT_FALSE(stream->Finish().ok());
}

TEST_F(NodeServiceTest, LogsComeOldestFirst) {
    const std::string directory = testing::TempDir() + "node-service-" + std::to_string(getpid());
    ASSERT_TRUE(makeDirectories(directory).ok());
    const std::string old_lines = std::string(300'000, 'o') + "\n";
    ASSERT_TRUE(replaceFile(directory + "/log.1", old_lines).ok());
    ASSERT_TRUE(replaceFile(directory + "/log", "new\n").ok());
    manager_.log_directory = directory;

    v1::LogsRequest request;
    request.mutable_sliver()->set_slice("web");
    request.mutable_sliver()->set_index(1);
    grpc::ClientContext context;
    const auto stream = stub_->Logs(&context, request);
    std::string text;
    v1::Chunk chunk;
    while (stream->Read(&chunk)) text += chunk.data();
    EXPECT_TRUE(stream->Finish().ok());
    EXPECT_TRUE(text == old_lines + "new\n") << text.size();
    EXPECT_TRUE(removeTree(directory).ok());
}

TEST_F(NodeServiceTest, FollowedLogsEndWithTheClientOrTheSliver) {
    const std::string directory = testing::TempDir() + "node-service-" + std::to_string(getpid());
    const std::string record = "2026-01-02T03:04:05.678901234Z stdout F line\n";
    v1::LogsRequest request;
    request.mutable_sliver()->set_slice("web");
    request.mutable_sliver()->set_index(1);
    request.set_follow(true);
    request.set_tail(1);
    manager_.log_directory = directory;
    for (const bool removed : {false, true}) {
        ASSERT_TRUE(makeDirectories(directory).ok());
        ASSERT_TRUE(replaceFile(directory + "/log", record + record).ok());
        grpc::ClientContext context;
        const auto stream = stub_->Logs(&context, request);
        v1::Chunk chunk;
        ASSERT_TRUE(stream->Read(&chunk));
        EXPECT_EQ(chunk.data(), record);
        auto log = openFile(directory + "/log", O_WRONLY | O_APPEND);
        ASSERT_TRUE(log.ok() && writeAll(log->get(), record).ok());
        ASSERT_TRUE(stream->Read(&chunk));
        EXPECT_EQ(chunk.data(), record);
        if (!removed) context.TryCancel();
        EXPECT_TRUE(removeTree(directory).ok());
        EXPECT_FALSE(stream->Read(&chunk));
        EXPECT_EQ(stream->Finish().error_code(), removed ? grpc::StatusCode::OK : grpc::StatusCode::CANCELLED);
    }
}

TEST_F(NodeServiceTest, InspectIsValidText) {
    grpc::ClientContext context;
    v1::InspectResponse response;
    ASSERT_TRUE(stub_->Inspect(&context, v1::InspectRequest(), &response).ok());
    EXPECT_EQ(response.json(), "{\"a\": \"?\"}");
}

TEST_F(NodeServiceTest, APortInUseIsSaidSo) {
    const auto second = Server::start({.address = kLoopback, .port = server_->port(), .credentials = pki_.node1},
                                      {.manager = manager_,
                                       .forwarder = forwarder_,
                                       .home_agent = nullptr,
                                       .peers = pki_.peers,
                                       .grants = pki_.grants,
                                       .inspect = {}});
    ASSERT_FALSE(second.ok());
    EXPECT_THAT(messageOf(second.status()), testing::HasSubstr("EADDRINUSE"));
}

class FetchDiskTest : public NodeServiceTest {
protected:
    absl::Status fetch(const std::string& path, uint64_t generation) {
        auto file = openFile(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        if (!file.ok()) return file.status();
        return fetcher_->fetchDisk({.slice = "web", .index = 1},
                                   {.node = kLoopback, .api_port = server_->port(), .generation = generation},
                                   file->get());
    }
    std::string path_ = testing::TempDir() + "fetch-disk-" + std::to_string(getpid());
    std::unique_ptr<Fetcher> fetcher_ =
        Fetcher::create(controllersOf("unix:/nonexistent", pki_.node2), pki_.node2, std::chrono::milliseconds(300));
    void TearDown() override { unlink(path_.c_str()); }
};

TEST_F(FetchDiskTest, CarriesTheWholeDisk) {
    const std::string disk(3'000'000, 'd');
    manager_.export_disk = [&](int fd) { return writeAll(fd, disk); };
    const absl::Status status = fetch(path_, 7);
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_TRUE(readFile(path_).value() == disk);
}

TEST_F(FetchDiskTest, BringsTheSourcesError) {
    EXPECT_TRUE(absl::IsFailedPrecondition(fetch(path_, 8)));
    manager_.export_disk = [](int fd) {
        HS_RETURN_IF_ERROR(writeAll(fd, "half of it"));
        return dataLoss("disk is broken");
    };
    EXPECT_TRUE(absl::IsDataLoss(fetch(path_, 7)));
}

TEST_F(FetchDiskTest, GivesUpOnASilentSource) {
    std::promise<void> let_go;
    // The exporter may outlive the test's own variables.
    manager_.export_disk = [may_go = let_go.get_future().share()](int) {
        may_go.wait();
        return absl::OkStatus();
    };
    EXPECT_TRUE(absl::IsDeadlineExceeded(fetch(path_, 7)));
    let_go.set_value();
}

TEST_F(FetchDiskTest, StopEndsTransfers) {
    const auto begun = std::make_shared<std::promise<void>>();
    std::promise<void> let_go;
    manager_.export_disk = [begun, may_go = let_go.get_future().share()](int) {
        begun->set_value();
        may_go.wait();
        return absl::OkStatus();
    };
    fetcher_ = Fetcher::create(controllersOf("unix:/nonexistent", pki_.node2), pki_.node2);
    auto fetching = std::async(std::launch::async, [&] { return fetch(path_, 7); });
    begun->get_future().wait();
    fetcher_->stop();
    EXPECT_TRUE(absl::IsAborted(fetching.get()));
    EXPECT_TRUE(absl::IsAborted(fetch(path_, 7)));
    let_go.set_value();
}

TEST_F(FetchDiskTest, AnExporterLearnsThatItsReaderHasGone) {
    std::promise<absl::Status> exported;
    manager_.export_disk = [&](int fd) {
        absl::Status status;
        while (status.ok()) status = writeAll(fd, std::string(100'000, 'd'));
        exported.set_value(status);
        return status;
    };
    v1::ExportDiskRequest request;
    request.mutable_sliver()->set_slice("web");
    request.mutable_sliver()->set_index(1);
    request.set_generation(7);
    grpc::ClientContext context;
    const auto stub = v1::NodeService::NewStub(pki_.channelTo(targetOf(kLoopback, server_->port()), *pki_.node2));
    const auto stream = stub->ExportDisk(&context, request);
    v1::Chunk chunk;
    ASSERT_TRUE(stream->Read(&chunk));
    context.TryCancel();
    EXPECT_EQ(errnoOf(exported.get_future().get()), EPIPE);
}

}  // namespace
}  // namespace homeslice::api
