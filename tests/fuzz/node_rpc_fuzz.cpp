// Every method of noded with any messages, through the real handlers over TLS: as the controller, and as another node.
// What would run commands on this machine says no.
#include <csignal>
#include <filesystem>

#include "base/file.h"
#include "base/log.h"
#include "base/status.h"
#include "homeslice/v1/binding.grpc.pb.h"
#include "homeslice/v1/flows.grpc.pb.h"
#include "homeslice/v1/node.grpc.pb.h"
#include "noded/api/server.h"
#include "noded/api/test_fakes.h"
#include "noded/api/test_pki.h"
#include "rpc.h"

namespace {

using namespace homeslice;

class QuietManager final : public sliver::Manager {
public:
    explicit QuietManager(std::string logs) : logs_(std::move(logs)) {}

    void setDesired(sliver::Desired /*desired*/) override {}
    uint64_t desiredRevision() const override { return 0; }
    std::vector<sliver::SliverReport> reports() const override { return {}; }
    absl::StatusOr<std::unique_ptr<init::RunningCommand>> exec(const SliverId& id,
                                                               init::ExecRequest /*request*/) override {
        return notFound("no sliver " + id.toString());
    }
    absl::StatusOr<std::string> logDirectory(const SliverId& /*id*/) const override { return logs_; }
    absl::Status exportDisk(const SliverId& /*id*/, uint64_t /*generation*/, int fd) override {
        return writeAll(fd, "disk");
    }
    std::pair<uint32_t, uint32_t> poolLevel() const override { return {0, 0}; }
    std::string inspect() const override { return "{}"; }

private:
    static absl::Status writeAll(int fd, const std::string& data) {
        const ssize_t written = ::write(fd, data.data(), data.size());
        return written == static_cast<ssize_t>(data.size()) ? absl::OkStatus() : errnoStatus(errno, "write");
    }

    const std::string logs_;
};

class World {
public:
    World() {
        ::signal(SIGPIPE, SIG_IGN);
        initLog("fuzz", LogLevel::error);  // what is refused fills a log
        std::string directory = (std::filesystem::temp_directory_path() / "hst-fuzz-XXXXXX").string();
        fuzz::require(::mkdtemp(directory.data()) != nullptr, "a folder can be made");
        directory_ = directory;
        manager_ = std::make_unique<QuietManager>(directory_);
        const Ipv6Address loopback = Ipv6Address::parse("::1").value();
        flows_ = audit::FlowRecorder::start({.path = directory_ + "/flows", .care_of_address = loopback}, forwarder_)
                     .value();
        server_ = api::Server::start({.address = loopback, .credentials = pki_.node1},
                                     {.manager = *manager_,
                                      .forwarder = forwarder_,
                                      .home_agent = &home_agent_,
                                      .peers = pki_.peers,
                                      .grants = pki_.grants,
                                      .flows = flows_.get(),
                                      .inspect = [] { return std::string("{}"); }})
                      .value();
        const std::string target = api::targetOf(loopback, server_->port());
        const auto controller = pki_.channelTo(target, *pki_.controller);
        const auto node2 = pki_.channelTo(target, *pki_.node2);
        callees = {{fuzz::serviceNamed("homeslice.v1.NodeService"), controller},
                   {fuzz::serviceNamed("homeslice.v1.NodeService"), node2, "node "},
                   {fuzz::serviceNamed("homeslice.v1.FlowService"), controller},
                   {fuzz::serviceNamed("homeslice.v1.BindingService"), node2},
                   {fuzz::serviceNamed("grpc.reflection.v1.ServerReflection"), controller}};
    }
    ~World() {
        server_.reset();
        flows_.reset();
        fuzz::require(removeTree(directory_).ok(), "the folder can be removed");
    }
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    std::vector<fuzz::Callee> callees;

private:
    api::TestPki pki_;
    std::string directory_;
    std::unique_ptr<QuietManager> manager_;
    api::FakeForwarder forwarder_;
    api::FakeHomeAgent home_agent_;
    std::unique_ptr<audit::FlowRecorder> flows_;
    std::unique_ptr<api::Server> server_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static World world;
    homeslice::fuzz::callAny(world.callees, data, size);
    return 0;
}
