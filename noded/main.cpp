// noded: wiring only.
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "base/file.h"
#include "base/ipv4.h"
#include "base/log.h"
#include "base/nat.h"
#include "base/status.h"
#include "noded/api/binding_transport.h"
#include "noded/api/channel.h"
#include "noded/api/controller_link.h"
#include "noded/api/fetcher.h"
#include "noded/api/flow_sharing.h"
#include "noded/api/inspect.h"
#include "noded/api/keepalive_keys.h"
#include "noded/api/name_settings.h"
#include "noded/api/nat_listener.h"
#include "noded/api/network_settings.h"
#include "noded/api/peer_table.h"
#include "noded/api/renewal.h"
#include "noded/api/server.h"
#include "noded/audit/flow_recorder.h"
#include "noded/host.h"
#include "noded/image/store.h"
#include "noded/mobility/access_gateway.h"
#include "noded/mobility/binding_errors.h"
#include "noded/mobility/forwarder.h"
#include "noded/mobility/home_agent.h"
#include "noded/mobility/home_agent_duty.h"
#include "noded/mobility/keepalive_client.h"
#include "noded/mobility/keepalive_server.h"
#include "noded/mobility/round_trips.h"
#include "noded/names/name_service.h"
#include "noded/options.h"
#include "noded/sliver/manager.h"
#include "noded/store/key_value_store.h"
#include "noded/sys/process.h"
#include "pki/enrol/enrol.h"
#include "rpc/lock_checks.h"

namespace homeslice {
namespace {

// The directories that noded and its companions share, and who may look: the run directory's sockets control slivers.
constexpr unsigned kDirectoryMode = 0711;

int end_signal_fd = -1;  // eventfd, written by the signal handler

void onEndSignal(int /*signal*/) {
    const int saved = errno;
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t count = write(end_signal_fd, &one, sizeof one);
    errno = saved;
}

void ignore(int /*signal*/) {}

void handle(int signal, void (*handler)(int)) {
    struct sigaction action {};
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    sigaction(signal, &action, nullptr);
}

// Handlers, not SIG_IGN and no blocked signals: those would be handed down to slivers through exec.
absl::Status prepareSignals() {
    end_signal_fd = eventfd(0, EFD_CLOEXEC);
    if (end_signal_fd < 0) return errnoStatus(errno, "eventfd");
    handle(SIGTERM, onEndSignal);
    handle(SIGINT, onEndSignal);
    handle(SIGPIPE, ignore);
    return absl::OkStatus();
}

void waitForEndSignal() {
    pollfd waited{.fd = end_signal_fd, .events = POLLIN, .revents = 0};
    while (poll(&waited, 1, -1) < 0 && errno == EINTR) {
    }
}

// Whatever still blocks then (a disk that does not answer) must not keep the service manager waiting. noded may die at
// any moment, so this loses nothing.
void boundShutdown() {
    std::thread([] {
        constexpr std::chrono::milliseconds kPatience{900};
        std::this_thread::sleep_for(kPatience);
        logWarning("not done after {} ms; ending anyway", kPatience.count());
        _exit(EXIT_SUCCESS);
    }).detach();
}

sliver::ManagerConfig managerConfig(const NodedOptions& options, const std::string& programs) {
    return {.node_name = options.name,
            .state_directory = options.state_directory,
            .run_directory = options.run_directory,
            .cgroup_parent = options.cgroup_parent,
            .launcher_program = programs + "/noded-launcher",
            .init_program = programs + "/sliver-init",
            .first_id = options.first_id,
            .id_ranges = options.id_ranges,
            .volumes = options.volumes,
            .pool = options.pool};
}

api::NodeIdentity identityOf(const NodedOptions& options, const HostFacts& facts, const Ipv6Address& care_of_address) {
    return {.name = options.name,
            .care_of_address = care_of_address,
            .api_port = options.api_port,
            .version = HOMESLICE_VERSION,
            .home_agent = options.home_agent,
            .correspondent = options.correspondent,
            .cpus = facts.cpus,
            .memory_bytes = facts.memory_bytes,
            .kernel = facts.kernel,
            .boot_id = facts.boot_id};
}

absl::StatusOr<Ipv6Address> careOfAddress(const NodedOptions& options) {
    auto address = options.care_of_address ? *options.care_of_address : firstGlobalAddress(options.uplink);
    if (!options.behind_nat || !address.ok()) return address;
    if (isIpv4(*address)) return behindNat(*address, options.name);
    return invalidArgument("--behind-nat: " + address->toString() + " is no IPv4 address; give one with --care-of");
}

std::string credentialsDirectory(const std::string& state_directory) { return state_directory + "/tls"; }

absl::StatusOr<std::shared_ptr<tls::Credentials>> openCredentials(const NodedOptions& options) {
    const std::string directory = credentialsDirectory(options.state_directory);
    auto credentials = tls::Credentials::open(directory);
    if (credentials.status().code() == absl::StatusCode::kNotFound) {
        return failedPrecondition("this node has no certificate in " + directory + ": run `noded join` first");
    }
    HS_RETURN_IF_ERROR(credentials.status());
    const pki::Identity& identity = (*credentials)->identity();
    if (identity.kind == pki::Kind::node && identity.name == options.name) return credentials;
    return failedPrecondition("the certificate in " + directory + " is of " + describe(identity) + ", not of node '" +
                              options.name + "'");
}

// `noded join`: a certificate for a token.
absl::Status join(const JoinOptions& options) {
    HS_ASSIGN_OR_RETURN(const pki::Token token, pki::parseToken(options.token));
    if (token.kind != pki::Kind::node) return invalidArgument("--token: this one is for a user, not for a node");
    if (!options.name.empty() && options.name != token.name) {
        return invalidArgument("--token: this one is for node '" + token.name + "', not '" + options.name + "'");
    }
    api::redirectGrpcLog();
    HS_RETURN_IF_ERROR(makeDirectories(options.state_directory, kDirectoryMode));
    HS_ASSIGN_OR_RETURN(const pki::Credentials credentials,
                        enrol::join(leader::splitAddresses(options.controller), token));
    HS_RETURN_IF_ERROR(pki::writeCredentials(credentialsDirectory(options.state_directory), credentials));
    fmt::print("node {} has joined\n", token.name);
    return absl::OkStatus();
}

// Null unless the home prefix is on-link.
absl::StatusOr<std::unique_ptr<mobility::HomeNeighbours>> openNeighbours(const NodedOptions& options) {
    if (!options.on_link) return nullptr;
    return mobility::HomeNeighbours::open(options.uplink);
}

std::unique_ptr<mobility::HomeAgent> makeHomeAgent(const NodedOptions& options, mobility::Forwarder& forwarder,
                                                   mobility::HomeNeighbours* neighbours) {
    if (!options.home_agent) return nullptr;
    return mobility::HomeAgent::create({}, forwarder, neighbours);
}

// Null on a node that is no home agent.
absl::StatusOr<std::unique_ptr<mobility::HomeAgentDuty>> startDuty(const NodedOptions& options, const Ipv6Address& self,
                                                                   mobility::Forwarder& forwarder,
                                                                   mobility::HomeAgent* home_agent) {
    if (home_agent == nullptr) return nullptr;
    return mobility::HomeAgentDuty::start({.link = options.uplink,
                                           .self = self,
                                           .port = options.api_port,
                                           .shared_address = options.home_agent_address,
                                           .priority = static_cast<uint8_t>(options.home_agent_priority),
                                           .interval = std::chrono::milliseconds(options.advertisement_interval_ms),
                                           .active_active = options.active_active},
                                          forwarder, *home_agent);
}

// Null on a node that is no home agent, and on IPv6 underlays.
absl::StatusOr<std::unique_ptr<mobility::KeepaliveServer>> startKeepaliveServer(const NodedOptions& options,
                                                                                const Ipv6Address& self,
                                                                                mobility::Forwarder& forwarder) {
    if (!options.home_agent || !isIpv4(self)) return nullptr;
    return mobility::KeepaliveServer::start({.self = self}, forwarder);
}

// Null unless this node is behind a NAT; the same below.
std::unique_ptr<mobility::KeepaliveClient> makeKeepaliveClient(const Ipv6Address& self,
                                                               std::shared_ptr<tls::Credentials> credentials) {
    if (!isBehindNat(self)) return nullptr;
    return mobility::KeepaliveClient::create({.care_of_address = self},
                                             api::keepaliveKeys(std::move(credentials), self));
}

std::unique_ptr<api::NatListener> listenBehindNat(const Ipv6Address& self, uint16_t port,
                                                  const std::shared_ptr<leader::Controllers>& controllers) {
    if (!isBehindNat(self)) return nullptr;
    return api::NatListener::start(controllers, beforeNat(self), port);
}

absl::StatusOr<std::unique_ptr<names::NameService>> startNames(const NodedOptions& options) {
    names::NameService::Config config{.slivers = !options.home_agent && !options.correspondent,
                                      .forwards = options.forwards_names,
                                      .name_servers = options.name_servers};
    if (options.dns) config.outsiders = names::Endpoint{options.dns->address, options.dns->port};
    return names::NameService::start(std::move(config));
}

absl::Status run(const NodedOptions& options) {
    HS_RETURN_IF_ERROR(prepareSignals());
    HS_RETURN_IF_ERROR(raiseDescriptorLimit());
    HS_RETURN_IF_ERROR(sys::becomeSubreaper());
    api::redirectGrpcLog();

    HS_ASSIGN_OR_RETURN(const std::string programs, executableDirectory());
    HS_ASSIGN_OR_RETURN(const auto credentials, openCredentials(options));
    HS_ASSIGN_OR_RETURN(const HostFacts facts, hostFacts());
    HS_ASSIGN_OR_RETURN(const Ipv6Address care_of_address, careOfAddress(options));
    const api::Server::Config listen{
        .address = beforeNat(care_of_address), .port = options.api_port, .credentials = credentials};
    HS_RETURN_IF_ERROR(api::Server::probe(listen));  // first of all: a second noded must not touch the first one's link
    HS_RETURN_IF_ERROR(makeDirectories(options.state_directory, kDirectoryMode));
    HS_RETURN_IF_ERROR(makeDirectories(options.run_directory, kDirectoryMode));
    HS_ASSIGN_OR_RETURN(const UniqueFd lock, lockDirectory(options.state_directory));
    HS_RETURN_IF_ERROR(ensureBpffs(options.run_directory + "/bpf"));

    HS_ASSIGN_OR_RETURN(const auto store, store::openSqliteStore(options.state_directory + "/noded.db"));
    HS_ASSIGN_OR_RETURN(const auto images, image::Store::open(options.state_directory));
    HS_ASSIGN_OR_RETURN(const auto forwarder,
                        mobility::Forwarder::open({.uplink = options.uplink,
                                                   .care_of_address = care_of_address,
                                                   .pin_directory = options.run_directory + "/bpf/homeslice",
                                                   .home_agent = options.home_agent,
                                                   .reverse_tunnel = options.reverse_tunnel,
                                                   .outbound = options.outbound}));
    HS_ASSIGN_OR_RETURN(const auto neighbours, openNeighbours(options));
    const auto home_agent = makeHomeAgent(options, *forwarder, neighbours.get());
    const auto gateway = mobility::AccessGateway::create(
        {.care_of_address = care_of_address, .priority = static_cast<uint8_t>(options.care_of_priority)}, *forwarder,
        api::bindingTransports(credentials));

    HS_ASSIGN_OR_RETURN_CTX(
        const auto binding_errors,
        mobility::BindingErrors::start(*forwarder, care_of_address,
                                       [&](const Ipv6Address& home_address, const Ipv6Address& there) {
                                           gateway->pathIsGone(home_address, there);
                                       }),
        "Binding Errors");

    HS_ASSIGN_OR_RETURN_CTX(const auto round_trips, mobility::RoundTrips::start(care_of_address, *forwarder),
                            "echo requests");
    HS_ASSIGN_OR_RETURN(const auto duty, startDuty(options, care_of_address, *forwarder, home_agent.get()));
    HS_ASSIGN_OR_RETURN_CTX(const auto keepalive_server, startKeepaliveServer(options, care_of_address, *forwarder),
                            "keepalives");
    const auto keepalive_client = makeKeepaliveClient(care_of_address, credentials);
    api::PeerTable peers;
    api::GrantCheck grants;
    api::FlowFollowers followed_flows(credentials, care_of_address, *forwarder);
    api::NetworkSettings network({.forwarder = *forwarder,
                                  .gateway = *gateway,
                                  .home_agent = home_agent.get(),
                                  .store = *store,
                                  .peers = peers,
                                  .grants = grants,
                                  .duty = duty.get(),
                                  .followed_flows = home_agent == nullptr ? nullptr : &followed_flows,
                                  .keepalives = keepalive_client.get()});
    if (const absl::Status restored = network.restore(); !restored.ok()) logError("{}", messageOf(restored));
    HS_ASSIGN_OR_RETURN_CTX(const auto name_service, startNames(options), "names");
    HS_ASSIGN_OR_RETURN(const auto flows, audit::FlowRecorder::start({.path = options.state_directory + "/flows.db",
                                                                      .keep = options.keep_flows,
                                                                      .care_of_address = beforeNat(care_of_address)},
                                                                     *forwarder));
    api::NameSettings names(*name_service, *store, [&](const NameTable& table) { flows->setNames(table); });
    if (const absl::Status restored = names.restore(); !restored.ok()) logError("{}", messageOf(restored));

    const auto controllers = api::controllersOf(options.controller, credentials);
    const auto fetcher = api::Fetcher::create(controllers, credentials);
    api::ChangeSignal changes;
    HS_ASSIGN_OR_RETURN(
        const auto manager,
        sliver::Manager::create(
            managerConfig(options, programs),
            {.store = *store,
             .images = *images,
             .forwarder = *forwarder,
             .gateway = *gateway,
             .fetch_image = [&](const std::string& digest, int fd) { return fetcher->fetchImage(digest, fd); },
             .fetch_disk = [&](const SliverId& id, const DiskSource& source,
                               int fd) { return fetcher->fetchDisk(id, source, fd); },
             .changed = [&] { changes.raise(); }}));

    HS_ASSIGN_OR_RETURN(auto server,
                        api::Server::start(listen, {.manager = *manager,
                                                    .forwarder = *forwarder,
                                                    .home_agent = home_agent.get(),
                                                    .peers = peers,
                                                    .grants = grants,
                                                    .flows = flows.get(),
                                                    .keepalives = keepalive_server.get(),
                                                    .inspect = [&] {
                                                        return api::inspect({.manager = *manager,
                                                                             .forwarder = *forwarder,
                                                                             .gateway = *gateway,
                                                                             .home_agent = home_agent.get(),
                                                                             .duty = duty.get()});
                                                    }}));
    auto nat_listener = listenBehindNat(care_of_address, options.api_port, controllers);
    auto link = api::ControllerLink::start({.controllers = controllers,
                                            .identity = identityOf(options, facts, care_of_address),
                                            .stream_age = tls::streamAge(credentials->lifetime())},
                                           {.manager = *manager,
                                            .network = network,
                                            .gateway = *gateway,
                                            .peers = peers,
                                            .changes = changes,
                                            .names = &names});
    auto renewal = api::Renewal::start(controllers, credentials);
    logInfo("node {} serves {}", options.name, endpointText(care_of_address, options.api_port));

    waitForEndSignal();
    boundShutdown();
    logInfo("ending; slivers go on");
    // First what asks for work, then what does it; transfers are ended so that the manager's workers come back.
    renewal.reset();
    link.reset();
    server.reset();
    fetcher->stop();
    return absl::OkStatus();
}

int main(int argc, char** argv) {
    const auto line = parseCommandLine(std::vector<std::string>(argv + 1, argv + argc));
    if (!line.ok()) {
        fmt::print(stderr, "noded: {}\n", messageOf(line.status()));
        return EXIT_FAILURE;
    }
    if (!line->help.empty()) {
        fmt::print("{}", line->help);
        return EXIT_SUCCESS;
    }
    if (line->join) {
        const absl::Status joined = join(*line->join);
        if (!joined.ok()) fmt::print(stderr, "noded: {}\n", messageOf(joined));
        return joined.ok() ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    initLog("noded", line->options.log_level);
    rpc::endLockChecks();
    const absl::Status status = run(line->options);
    if (!status.ok()) logError("{}", messageOf(status));
    return status.ok() ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace
}  // namespace homeslice

int main(int argc, char** argv) { return homeslice::main(argc, argv); }
