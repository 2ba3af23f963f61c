#include "controller_process.h"

#include <fmt/format.h>

#include <chrono>
#include <thread>

#include "base/clock.h"
#include "base/file.h"
#include "base/status.h"
#include "controller/store/store.h"
#include "fleet.h"

namespace homeslice::bench {
namespace {

constexpr const char* kPort = "7400";
constexpr const char* kEtcdPort = "2379";
// A heartbeat is a fifth of it.
constexpr const char* kNodeTimeout = "50s";
constexpr std::chrono::seconds kStartsWithin{120};

controller::Image image() { return {kImage, "sha256:" + std::string(64, '0'), 1, 0}; }

}  // namespace

std::string nodeName(size_t number) { return fmt::format("n{:05}", number); }
std::string enrolmentOf(size_t number) { return fmt::format("{:032x}", number); }

std::string ControllerProcess::address() { return std::string("ipv6:[::1]:") + kPort; }

absl::StatusOr<std::unique_ptr<ControllerProcess>> ControllerProcess::start(const ControllerConfig& config) {
    std::unique_ptr<ControllerProcess> controller(new ControllerProcess(config));
    HS_RETURN_IF_ERROR_CTX(controller->initialise(), "sliced init");
    HS_RETURN_IF_ERROR_CTX(controller->enrolNodes(), "enrol nodes");
    if (config.store == StoreKind::etcd) HS_RETURN_IF_ERROR_CTX(controller->startEtcd(), "etcd");
    HS_RETURN_IF_ERROR(controller->restart());
    return controller;
}

std::vector<std::string> ControllerProcess::sliced(const std::vector<std::string>& arguments) const {
    std::vector<std::string> argv = {config_.programs + "/sliced", "--state-dir", stateDirectory()};
    if (config_.store == StoreKind::etcd) {
        const std::string pem = config_.directory + "/etcd";
        for (const std::string& word : {std::string("--etcd-ca"), pem + ".crt", std::string("--etcd-cert"),
                                        pem + ".crt", std::string("--etcd-key"), pem + ".key"}) {
            argv.push_back(word);
        }
    }
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return argv;
}

absl::Status ControllerProcess::initialise() {
    HS_RETURN_IF_ERROR(makeDirectories(config_.directory, 0700));
    HS_RETURN_IF_ERROR(Process::run({config_.programs + "/sliced", "init", "--state-dir", stateDirectory()},
                                    config_.directory + "/init.log"));
    const std::string pki = stateDirectory() + "/pki";
    HS_ASSIGN_OR_RETURN(const std::string key, readFile(pki + "/authority.key"));
    HS_ASSIGN_OR_RETURN(const std::string certificate, readFile(pki + "/authority.pem"));
    HS_ASSIGN_OR_RETURN(pki::Authority authority, pki::Authority::parse(key, certificate));
    authority_ = std::make_unique<pki::Authority>(std::move(authority));
    return absl::OkStatus();
}

// As their joins would have done, and the import of an image: neither is what is measured.
absl::Status ControllerProcess::enrolNodes() const {
    HS_ASSIGN_OR_RETURN(const auto store, controller::openSqliteStore(stateDirectory() + "/controller.db"));
    HS_RETURN_IF_ERROR(store->load().status());
    controller::Changes changes;
    changes.put_images.push_back(image());
    for (size_t number = 0; number < config_.nodes; ++number) {
        changes.put_enrolled_nodes.push_back({nodeName(number), enrolmentOf(number)});
    }
    return store->apply(changes);
}

// With one member, limits for a large state, and what migrating makes of the enrolled nodes.
absl::Status ControllerProcess::startEtcd() {
    const std::string pem = config_.directory + "/etcd";
    HS_RETURN_IF_ERROR(Process::run({"openssl",
                                     "req",
                                     "-x509",
                                     "-newkey",
                                     "ec",
                                     "-pkeyopt",
                                     "ec_paramgen_curve:P-256",
                                     "-nodes",
                                     "-days",
                                     "2",
                                     "-subj",
                                     "/CN=etcd",
                                     "-addext",
                                     "subjectAltName=DNS:localhost,IP:::1",
                                     "-addext",
                                     "extendedKeyUsage=serverAuth,clientAuth",
                                     "-keyout",
                                     pem + ".key",
                                     "-out",
                                     pem + ".crt"},
                                    config_.directory + "/openssl.log"));
    const std::string client = std::string("https://[::1]:") + kEtcdPort;
    HS_ASSIGN_OR_RETURN(etcd_, Process::start({"etcd",
                                               "--data-dir",
                                               config_.directory + "/etcd.data",
                                               "--listen-client-urls",
                                               client,
                                               "--advertise-client-urls",
                                               client,
                                               "--listen-peer-urls",
                                               "http://[::1]:2380",
                                               "--cert-file",
                                               pem + ".crt",
                                               "--key-file",
                                               pem + ".key",
                                               "--trusted-ca-file",
                                               pem + ".crt",
                                               "--client-cert-auth",
                                               "--quota-backend-bytes",
                                               "8589934592",
                                               "--auto-compaction-mode",
                                               "revision",
                                               "--auto-compaction-retention",
                                               "1000",
                                               "--log-level",
                                               "error"},
                                              config_.directory + "/etcd.log"));
    const std::string endpoint = std::string("etcd:[::1]:") + kEtcdPort;
    const auto deadline = Monotonic::now() + kStartsWithin;
    for (;;) {
        const absl::Status migrated = Process::run(
            sliced({"store", "migrate", "--from", "sqlite:" + stateDirectory() + "/controller.db", "--to", endpoint}),
            config_.directory + "/migrate.log");
        if (migrated.ok() || Monotonic::now() > deadline) return migrated;
    }
}

absl::Status ControllerProcess::restart() {
    std::vector<std::string> arguments = {
        "--home-prefix", "fd51:1ce::/40", "--listen",       std::string("[::1]:") + kPort,
        "--socket",      socket(),        "--node-timeout", kNodeTimeout,
        "--log-level",   "warning"};
    if (config_.store == StoreKind::etcd) {
        arguments.insert(arguments.end(), {"--store", std::string("etcd:[::1]:") + kEtcdPort});
    }
    HS_ASSIGN_OR_RETURN(sliced_, Process::start(sliced(arguments), config_.directory + "/sliced.log"));
    grpc::ChannelArguments channel;
    channel.SetMaxReceiveMessageSize(-1);
    channel.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 100);
    client_ = v1::ControllerService::NewStub(
        grpc::CreateCustomChannel("unix:" + socket(), grpc::InsecureChannelCredentials(), channel));
    return awaitService();
}

absl::Status ControllerProcess::awaitService() {
    const auto deadline = Monotonic::now() + kStartsWithin;
    grpc::Status status;
    do {
        grpc::ClientContext context;
        v1::ListImagesResponse images;
        status = client_->ListImages(&context, {}, &images);
        if (status.ok()) return absl::OkStatus();
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    } while (sliced_->running() && Monotonic::now() < deadline);
    return unavailable("sliced does not serve: " + status.error_message() + "\n" +
                       readFile(config_.directory + "/sliced.log").value_or(""));
}

}  // namespace homeslice::bench
