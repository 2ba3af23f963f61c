// Every method of the controller with any messages, through the real handlers: over gRPC, as the administrator and as a
// node, to a core with a store in memory and a simulated node.
#include <csignal>
#include <filesystem>
#include <thread>

#include "base/file.h"
#include "base/log.h"
#include "base/names.h"
#include "base/status.h"
#include "controller/api/server.h"
#include "controller/api/simulated_node.h"
#include "homeslice/v1/controller.grpc.pb.h"
#include "homeslice/v1/enrolment.grpc.pb.h"
#include "pki/enrol/enrol.h"
#include "rpc.h"

namespace {

using namespace homeslice;
using namespace homeslice::controller;
using homeslice::controller::testing_support::SimulatedNode;

// Requests may ask for many slivers, one after the other: that is not what this is about.
constexpr size_t kMostSlivers = 300;

class FuzzedController {
public:
    FuzzedController() {
        initLog("fuzz", LogLevel::error);  // what is refused fills a log
        std::string directory = (std::filesystem::temp_directory_path() / "hst-fuzz-XXXXXX").string();
        fuzz::require(::mkdtemp(directory.data()) != nullptr, "a folder can be made");
        directory_ = directory;
        fuzz::require(
            Issuer::initialise(directory_, {pki::Kind::user, "admin", randomId()}, std::chrono::hours(1)).ok(),
            "there is an authority");
        issuer_ = Issuer::open(directory_, std::chrono::hours(1)).value();
        images_ = ImageFiles::open(directory_ + "/images").value();
        Config config;
        config.home_prefix = Ipv6Prefix::parse("fd51:1ce::/48").value();
        config.node_timeout = std::chrono::hours(1);
        controller_ = Controller::open(config, *store_, *images_, systemClock()).value();
        server_ = Server::start({"unix:" + directory_ + "/sock", "[::1]:0"}, *controller_, *images_, *issuer_).value();
        const auto admin = grpc::CreateChannel("unix:" + directory_ + "/sock", grpc::InsecureChannelCredentials());
        node_ = std::make_unique<SimulatedNode>(target(), credentialsOf("node1"), "node1", false);
        while (node_->lastPicture().revision() == 0) {
            fuzz::require(!node_->ended(), "the node is let in");
            std::this_thread::yield();
        }
        const auto node2 = credentialsOf("node2")->channel(target(), pki::kControllerName, {});
        callees = {{fuzz::serviceNamed("homeslice.v1.ControllerService"), admin},
                   {fuzz::serviceNamed("homeslice.v1.EnrolmentService"), admin},
                   {fuzz::serviceNamed("homeslice.v1.NodeLink"), node2},
                   {fuzz::serviceNamed("grpc.reflection.v1.ServerReflection"), admin}};
        addImage();
    }
    ~FuzzedController() {
        node_.reset();
        server_.reset();
        controller_.reset();
        fuzz::require(removeTree(directory_).ok(), "the folder can be removed");
    }
    FuzzedController(const FuzzedController&) = delete;
    FuzzedController& operator=(const FuzzedController&) = delete;

    bool isCrowded() const { return controller_->slivers("", {}, kMostSlivers).value().size() == kMostSlivers; }
    void tick() {
        controller_->tick();
        server_->tick();
    }

    std::vector<fuzz::Callee> callees;

private:
    std::string target() const { return "ipv6:[::1]:" + std::to_string(server_->ports()[1]); }
    std::shared_ptr<tls::Credentials> credentialsOf(const std::string& node) const {
        pki::Token token = controller_->makeNodeToken(node, 0, true).value().token;
        token.fingerprint = issuer_->fingerprint();
        const std::string path = directory_ + "/" + node;
        fuzz::require(pki::writeCredentials(path, enrol::join(target(), token).value()).ok(), "a node can join");
        return tls::Credentials::open(path).value();
    }
    void addImage() const {
        const auto receiver = images_->receive().value();
        fuzz::require(receiver->write("archive").ok(), "an image can be written");
        const std::string digest = receiver->finish().value();
        const std::string operation = controller_->beginImport("busybox").value().id;
        fuzz::require(controller_->addImage("busybox", digest, *receiver, operation).ok(), "an image can be added");
    }

    std::string directory_;
    std::unique_ptr<Store> store_ = makeMemoryStore();
    std::unique_ptr<Issuer> issuer_;
    std::unique_ptr<ImageFiles> images_;
    std::unique_ptr<Controller> controller_;
    std::unique_ptr<Server> server_;
    std::unique_ptr<SimulatedNode> node_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static auto system = std::make_unique<FuzzedController>();
    fuzz::callAny(system->callees, data, size);
    system->tick();
    if (system->isCrowded()) {
        system.reset();
        system = std::make_unique<FuzzedController>();
    }
    return 0;
}
