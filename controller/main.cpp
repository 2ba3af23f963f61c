// sliced: the controller. Wiring only.
#include <signal.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <ctime>
#include <exception>
#include <filesystem>
#include <functional>
#include <iostream>
#include <map>
#include <system_error>

#include "base/defer.h"
#include "base/file.h"
#include "base/log.h"
#include "base/names.h"
#include "base/status.h"
#include "controller/api/server.h"
#include "controller/auth/issuer.h"
#include "controller/core/controller.h"
#include "controller/images/image_files.h"
#include "controller/leader/image_copies.h"
#include "controller/leader/store_commands.h"
#include "controller/leader/store_options.h"
#include "controller/leader/turns.h"
#include "controller/leases/leases.h"
#include "controller/store/store.h"
#include "rpc/lock_checks.h"

namespace homeslice::controller {
namespace {

constexpr std::chrono::milliseconds kTick{500};

struct Options {
    StoreOptions store;
    StoreCommand store_command;
    std::vector<std::string> listen;
    std::string socket;
    std::string home_prefix;
    std::string domain = Config().domain;
    std::string default_lease = "7d";
    std::string grace = "1d";
    std::string node_timeout = "5s";
    std::string replace_after = "10m";
    uint32_t rebalance = 0;
    uint32_t rate_limit = ServerOptions::kUsualRate;
    std::string certificate_lifetime = "90d";
    bool init = false;
    LogLevel log_level = LogLevel::info;
};

void describe(CLI::App& app, Options& options) {
    app.set_config("--config", "", "read options from this file (TOML or INI)");
    app.add_option("--state-dir", options.store.state_directory, "database and images")->required();
    app.add_option("--listen", options.listen, "ADDRESS:PORT to serve nodes and clients on, by TLS; may be repeated");
    app.add_option("--socket", options.socket, "Unix socket to serve the local administrator on");
    app.add_option("--home-prefix", options.home_prefix, "IPv6 prefix of all home addresses, like fd51:1ce::/48");
    app.add_option("--domain", options.domain, "under which slices and slivers have names: INDEX.SLICE.DOMAIN")
        ->capture_default_str();
    app.add_option("--default-lease", options.default_lease, "of a slice, like 12h or 7d")->capture_default_str();
    app.add_option("--grace", options.grace,
                   "from the end of a lease, when slivers are frozen, to the slice's deletion")
        ->capture_default_str();
    app.add_option("--node-timeout", options.node_timeout, "silence after which a node is not ready")
        ->capture_default_str();
    app.add_option("--replace-after", options.replace_after,
                   "silence after which a node is lost, and its slivers are placed anew")
        ->capture_default_str();
    app.add_option("--rebalance", options.rebalance,
                   "difference of load between nodes, in percent, above which slivers are moved; 0: never")
        ->check(CLI::Range(0, 1000))
        ->capture_default_str();
    app.add_option("--rate-limit", options.rate_limit,
                   "requests a second that each user may make, twice as many in a burst; 0: any number")
        ->check(CLI::Range(0, 1'000'000))
        ->capture_default_str();
    app.add_option("--certificate-lifetime", options.certificate_lifetime,
                   "of nodes, users and sliced itself; renewed when a third is left")
        ->capture_default_str();
    app.add_subcommand("init", "Make the system's own certificate authority, once, and the first administrator")
        ->fallthrough()
        ->callback([&options] { options.init = true; });
    describe(app, options.store);
    describe(app, options.store_command);
    const std::map<std::string, LogLevel> levels{{"debug", LogLevel::debug},
                                                 {"info", LogLevel::info},
                                                 {"warning", LogLevel::warning},
                                                 {"error", LogLevel::error}};
    app.add_option("--log-level", options.log_level, "debug, info, warning or error")
        ->transform(CLI::CheckedTransformer(levels));
}

absl::StatusOr<Config> configOf(const Options& options) {
    Config config;
    if (options.home_prefix.empty()) return invalidArgument("--home-prefix is required");
    HS_ASSIGN_OR_RETURN_CTX(config.home_prefix, Ipv6Prefix::parse(options.home_prefix), "--home-prefix");
    HS_RETURN_IF_ERROR_CTX(checkNameDomain(options.domain), "--domain");
    config.domain = options.domain;
    HS_ASSIGN_OR_RETURN_CTX(config.default_lease, parseDuration(options.default_lease), "--default-lease");
    HS_ASSIGN_OR_RETURN_CTX(config.grace, parseDuration(options.grace), "--grace");
    HS_ASSIGN_OR_RETURN_CTX(config.node_timeout, parseDuration(options.node_timeout), "--node-timeout");
    HS_ASSIGN_OR_RETURN_CTX(config.replace_after, parseDuration(options.replace_after), "--replace-after");
    if (config.replace_after < config.node_timeout) {
        return invalidArgument("--replace-after: not less than --node-timeout");
    }
    config.rebalance_above = options.rebalance;
    if (config.default_lease > kMaxLease) return invalidArgument("--default-lease: at most 30d");
    return config;
}

std::vector<std::string> addressesOf(const Options& options) {
    std::vector<std::string> addresses = options.listen;
    if (!options.socket.empty()) addresses.push_back("unix:" + options.socket);
    return addresses;
}

// Blocked in every thread, so that the main thread can wait for them.
sigset_t blockStopSignals() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    return signals;
}

// Waits for a signal to stop, at most so long.
bool stoppedWithin(const sigset_t& signals, std::chrono::nanoseconds time) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time);
    const timespec timeout{seconds.count(), (time - seconds).count()};
    static bool stopped = false;
    stopped = stopped || sigtimedwait(&signals, nullptr, &timeout) >= 0;
    return stopped;
}

// A start that fails leaves nothing behind: the state directory goes again, if it was not there before.
auto removeUnlessThere(const std::string& directory) {
    std::error_code error;
    const bool is_there = std::filesystem::exists(directory, error) || error;
    return Defer([directory, is_there] {
        std::error_code ignored;
        if (!is_there) std::filesystem::remove_all(directory, ignored);
    });
}

absl::StatusOr<std::chrono::seconds> certificateLifetime(const Options& options) {
    HS_ASSIGN_OR_RETURN_CTX(const std::chrono::seconds lifetime, parseDuration(options.certificate_lifetime),
                            "--certificate-lifetime");
    return lifetime;
}

void renewOwn(Issuer& issuer) {
    if (const absl::Status renewed = issuer.renewOwn(); !renewed.ok()) {
        logError("the controller's own certificate is not renewed: {}", messageOf(renewed));
    }
}

// Another system's, or this one's, of which somebody else has the authority.
absl::Status checkUnused(Store& store, const std::string& state_directory) {
    HS_ASSIGN_OR_RETURN(const Snapshot snapshot, store.load());
    if (snapshot.home_prefix.empty()) return absl::OkStatus();
    return failedPrecondition("the store holds a system's state already: copy " + state_directory +
                              "/pki from its controller instead");
}

// `sliced init`: an authority, and an administrator who has a certificate of it.
absl::Status initialise(const Options& options) {
    const std::string& directory = options.store.state_directory;
    HS_ASSIGN_OR_RETURN(const std::chrono::seconds lifetime, certificateLifetime(options));
    HS_RETURN_IF_ERROR(makeDirectories(directory, 0700));
    HS_RETURN_IF_ERROR(Issuer::checkNone(directory));
    HS_ASSIGN_OR_RETURN(const StoreLocation location, locationOf(options.store));
    HS_ASSIGN_OR_RETURN(const OwnStore own, takeStore(options.store, location));
    HS_RETURN_IF_ERROR(checkUnused(*own.store, directory));
    const pki::Identity admin{pki::Kind::user, "admin", randomId()};
    Changes changes;
    changes.put_users.push_back({admin.name, UserRole::admin, admin.enrolment, toUnixMicros(Utc::now()), {}});
    HS_RETURN_IF_ERROR(own.store->apply(changes));
    HS_RETURN_IF_ERROR(Issuer::initialise(directory, admin, lifetime));
    std::cout << "made an authority; the administrator's certificate is in " << directory << "/admin\n";
    return absl::OkStatus();
}

// What one controller works with, whether it leads or not.
struct Office {
    Config config;
    std::vector<std::string> addresses;
    Issuer& issuer;
    ImageFiles& images;
    std::function<bool(std::chrono::nanoseconds)> stopped_within;
    uint32_t rate_limit;
    std::chrono::seconds port_patience;  // for the role before to give its ports up
};

absl::StatusOr<std::unique_ptr<Server>> startServer(const Office& office, Controller& controller,
                                                    const std::function<bool()>& leads) {
    constexpr std::chrono::milliseconds kLookAgain{50};
    const auto deadline = Monotonic::now() + office.port_patience;
    for (;;) {
        auto server = Server::start(office.addresses, controller, office.images, office.issuer,
                                    {.rate = office.rate_limit, .leads = leads});
        if (server.ok() || Monotonic::now() >= deadline || office.stopped_within(kLookAgain)) return server;
    }
}

// False at once when sliced is to end, and soon after the lead is lost: until its port is given up, whoever asks there
// is told to ask elsewhere.
bool remains(const Office& office, const std::function<bool()>& leads, std::chrono::milliseconds time) {
    constexpr std::chrono::milliseconds kLookEvery{50};
    const auto deadline = Monotonic::now() + time;
    while (Monotonic::now() < deadline) {
        if (office.stopped_within(kLookEvery) || !leads()) return false;
    }
    return true;
}

// Until sliced is to end, or `leads` answers false.
absl::Status lead(const Office& office, Store& store, const std::function<bool()>& leads) {
    HS_ASSIGN_OR_RETURN(const auto controller, Controller::open(office.config, store, office.images, systemClock()));
    HS_ASSIGN_OR_RETURN(const auto server, startServer(office, *controller, leads));
    for (const std::string& address : office.addresses) logInfo("serving on {}", address);
    while (remains(office, leads, kTick)) {
        controller->tick();
        server->tick();
        renewOwn(office.issuer);
    }
    return absl::OkStatus();
}

// The state directory itself is locked already.
absl::StatusOr<UniqueFd> lockElsewhere(const std::string& path, const std::string& state_directory) {
    const std::filesystem::path directory = std::filesystem::absolute(path).parent_path();
    std::error_code ignored;
    if (std::filesystem::equivalent(directory, state_directory, ignored)) return UniqueFd();
    return lockState(directory.string());
}

absl::Status leadAlone(const Office& office, const StoreOptions& options, const StoreLocation& location) {
    HS_ASSIGN_OR_RETURN(const UniqueFd lock, lockElsewhere(location.path, options.state_directory));
    HS_ASSIGN_OR_RETURN(const auto store, openSqliteStore(location.path));
    return lead(office, *store, [] { return true; });
}

absl::Status leadInTurns(const Office& office, const StoreOptions& options, const StoreLocation& location) {
    HS_ASSIGN_OR_RETURN(const std::string address, advertisedAddress(options, office.addresses));
    HS_ASSIGN_OR_RETURN(const EtcdConfig config, etcdConfigOf(options, location));
    HS_ASSIGN_OR_RETURN(const auto seat, EtcdSeat::open(config, address));
    HS_ASSIGN_OR_RETURN(const auto copies, ImageCopies::start(*seat, office.images, office.issuer));
    return serveInTurns(
        *seat,
        {.addresses = office.addresses,
         .follower = {.leader = [&seat = *seat] { return seat.leader(); },
                      .images = office.images,
                      .issuer = office.issuer},
         .stopped = office.stopped_within,
         .renew = [&office] { renewOwn(office.issuer); },
         .lead = [&office](Store& store, const std::function<bool()>& leads) { return lead(office, store, leads); }});
}

absl::Status serve(const Options& options) {
    HS_ASSIGN_OR_RETURN(const Config config, configOf(options));
    HS_ASSIGN_OR_RETURN(const std::chrono::seconds certificate_lifetime, certificateLifetime(options));
    HS_ASSIGN_OR_RETURN(const StoreLocation location, locationOf(options.store));
    const std::vector<std::string> addresses = addressesOf(options);
    if (addresses.empty()) return invalidArgument("nothing to serve on: give --listen or --socket");
    const sigset_t signals = blockStopSignals();
    const std::string& directory = options.store.state_directory;
    Defer undo = removeUnlessThere(directory);
    HS_ASSIGN_OR_RETURN(const UniqueFd lock, lockState(directory));
    HS_ASSIGN_OR_RETURN(const auto issuer, Issuer::open(directory, certificate_lifetime));
    HS_ASSIGN_OR_RETURN(const auto images, ImageFiles::open(directory + "/images"));
    undo.dismiss();
    const bool alone = location.kind == StoreLocation::Kind::sqlite;
    const Office office{config,
                        addresses,
                        *issuer,
                        *images,
                        [&signals](std::chrono::nanoseconds time) { return stoppedWithin(signals, time); },
                        options.rate_limit,
                        std::chrono::seconds(alone ? 0 : 3)};
    HS_RETURN_IF_ERROR(alone ? leadAlone(office, options.store, location)
                             : leadInTurns(office, options.store, location));
    logInfo("stopping");
    return absl::OkStatus();
}

absl::Status act(const Options& options) {
    if (options.store_command.act) return options.store_command.act(options.store);
    return options.init ? initialise(options) : serve(options);
}

int run(int argc, char** argv) {
    Options options;
    CLI::App app("The Homeslice controller: nodes, slices, leases, home addresses.");
    describe(app, options);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) return app.exit(error);  // --help
        std::cerr << "sliced: " << error.what() << "\n";
        return 1;
    }
    initLog("sliced", options.log_level);
    rpc::endLockChecks();
    ::umask(0077);
    const absl::Status done = act(options);
    if (done.ok()) return 0;
    std::cerr << "sliced: " << messageOf(done) << "\n";
    return 1;
}

}  // namespace
}  // namespace homeslice::controller

int main(int argc, char** argv) {
    try {
        return homeslice::controller::run(argc, argv);
    } catch (const std::exception& error) {
        std::cerr << "sliced: " << error.what() << "\n";
        return 1;
    }
}
