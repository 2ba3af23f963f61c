#include "controller/leader/store_commands.h"

#include <fmt/format.h>

#include <filesystem>
#include <iostream>

#include "base/status.h"
#include "controller/store/backup.h"

namespace homeslice::controller {
namespace {

void sayContent(const std::string& what, const Snapshot& snapshot) {
    std::cout << fmt::format("{}: {} slices, {} slivers, {} nodes, {} users\n", what, snapshot.slices.size(),
                             snapshot.slivers.size(), snapshot.nodes.size(), snapshot.users.size());
}

// While the controllers go on: nothing is locked, and nobody led.
absl::Status backUpEtcd(const EtcdConfig& config, const std::string& file) {
    HS_ASSIGN_OR_RETURN(const auto seat, EtcdSeat::open(config, ""));
    return backUp(*seat->store(), file);
}

}  // namespace

void describe(CLI::App& app, StoreCommand& command) {
    CLI::App* const store = app.add_subcommand("store", "Look after what the controller knows")->fallthrough();
    store->require_subcommand(1);
    CLI::App* const backup =
        store->add_subcommand("backup",
                              "Copy it into a file, while sliced runs or not. Keys (STATE-DIR/pki) and images "
                              "(STATE-DIR/images) are not in it.");
    backup->fallthrough()->add_option("FILE", command.file, "Must not exist yet")->required();
    backup->callback([&command] {
        command.act = [&command](const StoreOptions& options) { return backUpStore(options, command.file); };
    });
    CLI::App* const restore = store->add_subcommand("restore", "Replace it by a backup, while no sliced runs");
    restore->fallthrough()->add_option("FILE", command.file, "That a backup made")->required();
    restore->callback([&command] {
        command.act = [&command](const StoreOptions& options) { return restoreStore(options, command.file); };
    });
    CLI::App* const migration =
        store->add_subcommand("migrate", "Carry it from one store to an empty one, while no sliced runs");
    migration->fallthrough()->add_option("--from", command.from, "sqlite:PATH or etcd:HOST:PORT,...")->required();
    migration->add_option("--to", command.to, "sqlite:PATH or etcd:HOST:PORT,...")->required();
    migration->callback([&command] {
        command.act = [&command](const StoreOptions& options) {
            return migrateStore(options, command.from, command.to);
        };
    });
}

absl::Status backUpStore(const StoreOptions& options, const std::string& file) {
    HS_ASSIGN_OR_RETURN(const StoreLocation location, locationOf(options));
    if (location.kind == StoreLocation::Kind::sqlite) {
        HS_RETURN_IF_ERROR(backUpSqlite(location.path, file));
    } else {
        HS_ASSIGN_OR_RETURN(const EtcdConfig config, etcdConfigOf(options, location));
        HS_RETURN_IF_ERROR(backUpEtcd(config, file));
    }
    HS_ASSIGN_OR_RETURN_CTX(const Backup backup, readBackup(file), "read the backup again");
    sayContent("backed up", backup.snapshot);
    return absl::OkStatus();
}

absl::Status restoreStore(const StoreOptions& options, const std::string& file) {
    HS_ASSIGN_OR_RETURN(const StoreLocation location, locationOf(options));
    // Before anything is replaced.
    HS_ASSIGN_OR_RETURN(Backup backup, readBackup(file));
    skipLostTime(backup.snapshot);
    HS_ASSIGN_OR_RETURN(const OwnStore own, takeStore(options, location));
    HS_RETURN_IF_ERROR(own.store->replace(backup.snapshot, backup.audit));
    sayContent("restored", backup.snapshot);
    return absl::OkStatus();
}

absl::Status migrateStore(const StoreOptions& options, const std::string& from, const std::string& to) {
    HS_ASSIGN_OR_RETURN(const StoreLocation source, parseStoreLocation("--from", from));
    HS_ASSIGN_OR_RETURN(const StoreLocation target, parseStoreLocation("--to", to));
    if (source == target) return invalidArgument("--to is what --from is");
    if (source.kind == StoreLocation::Kind::sqlite && !std::filesystem::exists(source.path)) {
        return notFound("--from: there is no " + source.path);
    }
    HS_ASSIGN_OR_RETURN_CTX(const OwnStore old, takeStore(options, source), source.toString());
    HS_ASSIGN_OR_RETURN_CTX(const OwnStore fresh, takeStore(options, target), target.toString());
    HS_ASSIGN_OR_RETURN_CTX(const Backup content, readAll(*old.store), source.toString());
    const auto present = fresh.store->load();
    // Half of an earlier attempt is no reason to stop.
    if (present.ok() && present->revision != 0) {
        return failedPrecondition(target.toString() + " holds the state of a controller already");
    }
    HS_RETURN_IF_ERROR_CTX(fresh.store->replace(content.snapshot, content.audit), target.toString());
    sayContent("migrated", content.snapshot);
    return absl::OkStatus();
}

}  // namespace homeslice::controller
