#include "controller/store/backup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <functional>
#include <utility>

#include "base/defer.h"
#include "base/file.h"
#include "base/status.h"
#include "controller/store/database.h"
#include "controller/store/sqlite_store.h"

namespace homeslice::controller {
namespace {

constexpr uint64_t kSkippedRevisions = uint64_t{1} << 32;
constexpr uint64_t kSkippedGenerations = 1000;

absl::Status sync(const std::string& path, int flags) {
    HS_ASSIGN_OR_RETURN(const UniqueFd fd, openFile(path, flags));
    return ::fsync(fd.get()) == 0 ? absl::OkStatus() : errnoStatus(errno, "fsync(" + path + ")");
}

// Under another name first, so that what has the name is whole.
absl::Status writeWhole(const std::string& path, const std::function<absl::Status(const std::string&)>& write) {
    const std::string half = path + ".part";
    HS_ASSIGN_OR_RETURN(const UniqueFd created, openFile(half, O_WRONLY | O_CREAT | O_EXCL, 0600));
    Defer undo([&half] { ::unlink(half.c_str()); });
    HS_RETURN_IF_ERROR(write(half));
    HS_RETURN_IF_ERROR(sync(half, O_RDONLY));
    // Unlike rename(2), it does not replace.
    if (::link(half.c_str(), path.c_str()) != 0) return errnoStatus(errno, path);
    return sync(std::filesystem::absolute(path).parent_path().string(), O_RDONLY | O_DIRECTORY);
}

// One file: a write-ahead log beside a backup would be forgotten by whoever carries it away.
absl::Status copyToFile(Database& from, const std::string& path) {
    HS_ASSIGN_OR_RETURN(const auto to, Database::openExisting(path));
    HS_RETURN_IF_ERROR(from.copyTo(*to));
    return to->execute("PRAGMA journal_mode=DELETE");
}

}  // namespace

absl::Status backUpSqlite(const std::string& database, const std::string& to) {
    HS_ASSIGN_OR_RETURN(const auto from, Database::openExisting(database));
    return writeWhole(to, [&from](const std::string& path) { return copyToFile(*from, path); });
}

absl::Status backUp(Store& store, const std::string& to) {
    HS_ASSIGN_OR_RETURN(const Backup backup, readAll(store));
    return writeWhole(to, [&backup](const std::string& path) -> absl::Status {
        HS_ASSIGN_OR_RETURN(auto database, Database::openExisting(path));
        HS_ASSIGN_OR_RETURN(const auto copy, makeSqliteStore(std::move(database)));
        return copy->replace(backup.snapshot, backup.audit);
    });
}

absl::StatusOr<Backup> readBackup(const std::string& path) {
    HS_ASSIGN_OR_RETURN(const auto file, Database::openExisting(path));
    HS_ASSIGN_OR_RETURN(auto memory, Database::openInMemory());
    HS_RETURN_IF_ERROR_CTX(file->copyTo(*memory), path);
    HS_ASSIGN_OR_RETURN_CTX(const auto store, makeSqliteStore(std::move(memory)), path);
    return readAll(*store);
}

absl::StatusOr<Backup> readAll(Store& store) {
    HS_ASSIGN_OR_RETURN(Snapshot snapshot, store.load());
    HS_ASSIGN_OR_RETURN(std::vector<AuditEntry> audit, store.audit(kAuditKept));
    return Backup{std::move(snapshot), std::move(audit)};
}

void skipLostTime(Snapshot& snapshot) {
    snapshot.revision += kSkippedRevisions;
    snapshot.tokens.clear();
    for (auto& [id, sliver] : snapshot.slivers) sliver.last_generation += kSkippedGenerations;
}

}  // namespace homeslice::controller
