#include "controller/leader/store_options.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/file.h"
#include "base/status.h"
#include "controller/store/database.h"

namespace homeslice::controller {
namespace {

// More than the lease of one that has just died.
constexpr std::chrono::seconds kLeadWithin{5};
constexpr std::chrono::milliseconds kLookEvery{100};

bool namesAHost(const std::string& address) {
    return !address.starts_with("unix:") && !address.starts_with("[::]:") && !address.starts_with("0.0.0.0:");
}

absl::StatusOr<OwnStore> takeSqlite(const std::string& path) {
    OwnStore own;
    HS_ASSIGN_OR_RETURN(own.lock, lockState(std::filesystem::absolute(path).parent_path().string()));
    // What root leaves behind, sliced's user could not write to.
    if (std::filesystem::exists(path)) HS_RETURN_IF_ERROR(Database::openExisting(path).status());
    HS_ASSIGN_OR_RETURN(own.store, openSqliteStore(path));
    return own;
}

absl::StatusOr<OwnStore> takeEtcd(const EtcdConfig& config) {
    OwnStore own;
    HS_ASSIGN_OR_RETURN(own.seat, EtcdSeat::open(config, ""));
    const auto deadline = Monotonic::now() + kLeadWithin;
    for (;;) {
        HS_ASSIGN_OR_RETURN(const bool leads, own.seat->campaign());
        if (leads) break;
        if (Monotonic::now() > deadline) {
            return failedPrecondition("the controller at " + own.seat->leader() + " leads: stop every sliced first");
        }
        std::this_thread::sleep_for(kLookEvery);
    }
    own.store = own.seat->store();
    return own;
}

}  // namespace

void describe(CLI::App& app, StoreOptions& options) {
    app.add_option("--store", options.store,
                   "sqlite:PATH, or etcd:HOST:PORT[,HOST:PORT...], which several controllers share; default: "
                   "sqlite:STATE-DIR/controller.db");
    app.add_option("--advertise", options.advertise,
                   "with etcd: HOST:PORT at which others find this controller; default: the address of --listen");
    app.add_option("--etcd-ca", options.etcd.authority, "PEM file of the authority of etcd's certificates");
    app.add_option("--etcd-cert", options.etcd.certificate, "PEM file of the certificate to show to etcd");
    app.add_option("--etcd-key", options.etcd.key, "PEM file of its key");
    app.add_option("--etcd-prefix", options.etcd.prefix, "of all keys in etcd, one for each system")
        ->capture_default_str();
}

absl::StatusOr<StoreLocation> locationOf(const StoreOptions& options) {
    if (!options.store.empty()) return parseStoreLocation("--store", options.store);
    return StoreLocation{StoreLocation::Kind::sqlite, options.state_directory + "/controller.db", {}};
}

absl::StatusOr<EtcdConfig> etcdConfigOf(const StoreOptions& options, const StoreLocation& location) {
    EtcdConfig config = options.etcd;
    config.endpoints = location.endpoints;
    if (config.authority.empty() || config.certificate.empty() || config.key.empty()) {
        return invalidArgument("etcd is spoken to by TLS alone: give --etcd-ca, --etcd-cert and --etcd-key");
    }
    const bool good = config.prefix.size() > 1 && config.prefix.front() == '/' && config.prefix.back() != '/';
    if (!good) return invalidArgument("--etcd-prefix: '" + config.prefix + "' is not like /homeslice");
    return config;
}

absl::StatusOr<std::string> advertisedAddress(const StoreOptions& options, const std::vector<std::string>& listen) {
    if (!options.advertise.empty()) return options.advertise;
    for (const std::string& address : listen) {
        if (namesAHost(address)) return address;
    }
    return invalidArgument("--advertise is needed: the address at which nodes and other controllers find this one");
}

absl::StatusOr<UniqueFd> lockState(const std::string& directory) {
    HS_RETURN_IF_ERROR(makeDirectories(directory, 0700));
    HS_ASSIGN_OR_RETURN(UniqueFd fd, openFile(directory + "/lock", O_RDWR | O_CREAT, 0600));
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
    if (errno == EWOULDBLOCK) return failedPrecondition("another sliced uses " + directory);
    return errnoStatus(errno, "lock " + directory);
}

absl::StatusOr<OwnStore> takeStore(const StoreOptions& options, const StoreLocation& location) {
    if (location.kind == StoreLocation::Kind::sqlite) return takeSqlite(location.path);
    HS_ASSIGN_OR_RETURN(const EtcdConfig config, etcdConfigOf(options, location));
    return takeEtcd(config);
}

}  // namespace homeslice::controller
