#include "noded/image/store.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <future>
#include <map>
#include <mutex>
#include <utility>

#include "base/defer.h"
#include "base/file.h"
#include "base/log.h"
#include "base/names.h"
#include "base/status.h"
#include "noded/image/config_file.h"

namespace homeslice::image {
namespace {

constexpr char kScheme[] = "sha256:";
constexpr unsigned kPrivate = 0700;  // an image's set-user-ID files are no business of the host's users
constexpr unsigned kRootfsMode = 0755;

std::string hexOf(const std::string& digest) { return digest.substr(digest.find(':') + 1); }

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

absl::StatusOr<std::vector<std::string>> namesIn(const std::string& directory) {
    std::error_code error;
    std::vector<std::string> names;
    std::filesystem::directory_iterator entry(directory, error);
    for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
        names.push_back(entry->path().filename().string());
    }
    if (error) return errnoStatus(error.value(), "list " + directory);
    return names;
}

// One sync of the whole file system in place of one fsync for each of thousands of files.
absl::Status syncFileSystemOf(const std::string& directory) {
    HS_ASSIGN_OR_RETURN(const UniqueFd fd, openFile(directory, O_RDONLY | O_DIRECTORY));
    if (::syncfs(fd.get()) != 0) return errnoStatus(errno, "syncfs(" + directory + ")");
    return absl::OkStatus();
}

class DirectoryStore : public Store {
public:
    explicit DirectoryStore(const std::string& directory)
        : images_(directory + "/images"), incoming_(directory + "/incoming") {}

    absl::Status prepare() {
        HS_RETURN_IF_ERROR(makeDirectories(images_, kPrivate));
        HS_RETURN_IF_ERROR(removeTree(incoming_));
        HS_RETURN_IF_ERROR(makeDirectories(incoming_, kPrivate));
        HS_ASSIGN_OR_RETURN(const std::vector<std::string> names, namesIn(images_));
        for (const std::string& name : names) {
            if (exists(images_ + "/" + name + "/complete")) continue;
            logInfo("image {}: removing what an interrupted unpacking has left", name);
            HS_RETURN_IF_ERROR(removeTree(images_ + "/" + name));
        }
        return absl::OkStatus();
    }

    bool has(const std::string& digest) const override {
        return oci::isDigest(digest) && exists(directoryOf(digest) + "/complete");
    }

    absl::StatusOr<Image> get(const std::string& digest) const override {
        if (!has(digest)) return notFound("image " + digest + " is not on this node");
        const std::string directory = directoryOf(digest);
        HS_ASSIGN_OR_RETURN_CTX(ImageConfig config, readConfigFile(directory + "/config.json"), "image " + digest);
        return Image{digest, directory + "/rootfs", std::move(config)};
    }

    absl::StatusOr<Image> ensure(const std::string& digest, const Fetch& fetch) override {
        if (!oci::isDigest(digest)) return invalidArgument("'" + digest + "' is not a sha256 digest");
        std::promise<absl::Status> made;
        std::shared_future<absl::Status> flight;
        bool leads = false;
        {
            const std::lock_guard lock(mutex_);
            if (has(digest)) return get(digest);
            auto [found, inserted] = flights_.try_emplace(digest);
            if (inserted) found->second = made.get_future().share();
            flight = found->second;
            leads = inserted;
        }
        if (leads) {
            const absl::Status status = withContext(make(digest, fetch), "image " + digest);
            const std::lock_guard lock(mutex_);
            flights_.erase(digest);
            made.set_value(status);
        }
        HS_RETURN_IF_ERROR(flight.get());
        return get(digest);
    }

    absl::Status collectGarbage(const std::vector<std::string>& kept) override {
        HS_ASSIGN_OR_RETURN(const std::vector<std::string> names, namesIn(images_));
        for (const std::string& name : names) {
            const std::string digest = kScheme + name;
            if (std::find(kept.begin(), kept.end(), digest) == kept.end()) HS_RETURN_IF_ERROR(remove(digest));
        }
        return absl::OkStatus();
    }

private:
    std::string directoryOf(const std::string& digest) const { return images_ + "/" + hexOf(digest); }

    absl::Status make(const std::string& digest, const Fetch& fetch) {
        const std::string archive = incoming_ + "/" + hexOf(digest);
        const Defer remove_archive([&archive] { ::unlink(archive.c_str()); });
        HS_RETURN_IF_ERROR(receive(digest, fetch, archive));
        const std::string directory = directoryOf(digest);
        absl::Status status = unpack(archive, directory);
        if (!status.ok()) removeTree(directory).IgnoreError();  // the first error is the one to tell
        return status;
    }

    static absl::Status receive(const std::string& digest, const Fetch& fetch, const std::string& archive) {
        {
            HS_ASSIGN_OR_RETURN(const UniqueFd fd, openFile(archive, O_WRONLY | O_CREAT | O_TRUNC, 0600));
            HS_RETURN_IF_ERROR_CTX(fetch(digest, fd.get()), "fetch");
        }
        HS_ASSIGN_OR_RETURN(const std::string received, digestOf(archive));
        if (received != digest) return dataLoss("what was fetched has the digest " + received);
        return absl::OkStatus();
    }

    // The marker is written once everything else is on disk.
    static absl::Status unpack(const std::string& archive, const std::string& directory) {
        HS_RETURN_IF_ERROR(removeTree(directory));
        HS_RETURN_IF_ERROR(makeDirectories(directory, kPrivate));
        HS_RETURN_IF_ERROR(makeDirectories(directory + "/rootfs", kRootfsMode));
        HS_ASSIGN_OR_RETURN(const ImageConfig config, unpackOciArchive(archive, directory + "/rootfs"));
        HS_RETURN_IF_ERROR(writeConfigFile(directory + "/config.json", config));
        HS_RETURN_IF_ERROR(syncFileSystemOf(directory));
        return replaceFile(directory + "/complete", "");
    }

    absl::Status remove(const std::string& digest) {
        const std::string doomed = incoming_ + "/removed-" + randomId();
        {
            const std::lock_guard lock(mutex_);
            if (flights_.contains(digest)) return absl::OkStatus();
            if (::rename(directoryOf(digest).c_str(), doomed.c_str()) != 0) {
                return errno == ENOENT ? absl::OkStatus() : errnoStatus(errno, "remove image " + digest);
            }
        }
        return removeTree(doomed);
    }

    const std::string images_;
    const std::string incoming_;  // archives being fetched, images being removed; emptied by open()
    std::mutex mutex_;
    std::map<std::string, std::shared_future<absl::Status>> flights_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> Store::open(const std::string& directory) {
    auto store = std::make_unique<DirectoryStore>(directory);
    HS_RETURN_IF_ERROR_CTX(store->prepare(), "image store " + directory);
    return store;
}

}  // namespace homeslice::image
