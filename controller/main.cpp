// sliced: the controller. Wiring only.
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <ctime>
#include <exception>
#include <filesystem>
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
#include "controller/leases/leases.h"
#include "controller/store/store.h"

namespace homeslice::controller {
namespace {

constexpr long kTickNanoseconds = 500'000'000;

struct Options {
    std::string state_directory;
    std::vector<std::string> listen;
    std::string socket;
    std::string home_prefix;
    std::string domain = Config().domain;
    std::string default_lease = "7d";
    std::string grace = "1d";
    std::string node_timeout = "5s";
    std::string replace_after = "10m";
    uint32_t rebalance = 0;
    std::string certificate_lifetime = "90d";
    bool init = false;
    LogLevel log_level = LogLevel::info;
};

void describe(CLI::App& app, Options& options) {
    app.set_config("--config", "", "read options from this file (TOML or INI)");
    app.add_option("--state-dir", options.state_directory, "database and images")->required();
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
    app.add_option("--certificate-lifetime", options.certificate_lifetime,
                   "of nodes, users and sliced itself; renewed when a third is left")
        ->capture_default_str();
    app.add_subcommand("init", "Make the system's own certificate authority, once, and the first administrator")
        ->fallthrough()
        ->callback([&options] { options.init = true; });
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

// Two controllers over one state would undo each other's work.
absl::StatusOr<UniqueFd> lockState(const std::string& directory) {
    HS_RETURN_IF_ERROR(makeDirectories(directory, 0700));
    HS_ASSIGN_OR_RETURN(UniqueFd fd, openFile(directory + "/lock", O_RDWR | O_CREAT, 0600));
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
    if (errno == EWOULDBLOCK) return failedPrecondition("another sliced uses " + directory);
    return errnoStatus(errno, "lock " + directory);
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

void tickUntilStopped(Controller& controller, Server& server, Issuer& issuer, const sigset_t& signals) {
    const timespec tick{0, kTickNanoseconds};
    while (sigtimedwait(&signals, nullptr, &tick) < 0) {
        controller.tick();
        server.tick();
        if (const absl::Status renewed = issuer.renewOwn(); !renewed.ok()) {
            logError("the controller's own certificate is not renewed: {}", messageOf(renewed));
        }
    }
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

std::string databaseOf(const Options& options) { return options.state_directory + "/controller.db"; }

absl::StatusOr<std::chrono::seconds> certificateLifetime(const Options& options) {
    HS_ASSIGN_OR_RETURN_CTX(const std::chrono::seconds lifetime, parseDuration(options.certificate_lifetime),
                            "--certificate-lifetime");
    return lifetime;
}

// `sliced init`: an authority, and an administrator who has a certificate of it.
absl::Status initialise(const Options& options) {
    HS_ASSIGN_OR_RETURN(const std::chrono::seconds lifetime, certificateLifetime(options));
    HS_RETURN_IF_ERROR(makeDirectories(options.state_directory, 0700));
    HS_ASSIGN_OR_RETURN(const UniqueFd lock, lockState(options.state_directory));
    HS_RETURN_IF_ERROR(Issuer::checkNone(options.state_directory));
    HS_ASSIGN_OR_RETURN(const auto store, openSqliteStore(databaseOf(options)));
    const pki::Identity admin{pki::Kind::user, "admin", randomId()};
    Changes changes;
    changes.put_users.push_back({admin.name, UserRole::admin, admin.enrolment, toUnixMicros(Utc::now()), {}});
    HS_RETURN_IF_ERROR(store->apply(changes));
    HS_RETURN_IF_ERROR(Issuer::initialise(options.state_directory, admin, lifetime));
    std::cout << "made an authority; the administrator's certificate is in " << options.state_directory << "/admin\n";
    return absl::OkStatus();
}

absl::Status serve(const Options& options) {
    HS_ASSIGN_OR_RETURN(const Config config, configOf(options));
    HS_ASSIGN_OR_RETURN(const std::chrono::seconds certificate_lifetime, certificateLifetime(options));
    const std::vector<std::string> addresses = addressesOf(options);
    if (addresses.empty()) return invalidArgument("nothing to serve on: give --listen or --socket");
    const sigset_t signals = blockStopSignals();
    Defer undo = removeUnlessThere(options.state_directory);
    HS_ASSIGN_OR_RETURN(const UniqueFd lock, lockState(options.state_directory));
    HS_ASSIGN_OR_RETURN(const auto issuer, Issuer::open(options.state_directory, certificate_lifetime));
    HS_ASSIGN_OR_RETURN(const auto store, openSqliteStore(databaseOf(options)));
    HS_ASSIGN_OR_RETURN(const auto images, ImageFiles::open(options.state_directory + "/images"));
    HS_ASSIGN_OR_RETURN(const auto controller, Controller::open(config, *store, *images, systemClock()));
    HS_ASSIGN_OR_RETURN(const auto server, Server::start(addresses, *controller, *images, *issuer));
    undo.dismiss();
    for (const std::string& address : addresses) logInfo("serving on {}", address);
    tickUntilStopped(*controller, *server, *issuer, signals);
    logInfo("stopping");
    return absl::OkStatus();
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
    ::umask(0077);
    const absl::Status served = options.init ? initialise(options) : serve(options);
    if (served.ok()) return 0;
    std::cerr << "sliced: " << messageOf(served) << "\n";
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
