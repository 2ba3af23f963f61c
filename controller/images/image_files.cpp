#include "controller/images/image_files.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <vector>

#include "base/file.h"
#include "base/log.h"
#include "base/names.h"
#include "base/status.h"

namespace homeslice::controller {
namespace {

const std::string kAlgorithm = "sha256:";
const std::string kTemporarySuffix = ".part";
constexpr size_t kHexDigits = 64;

bool isHexDigit(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

// "sha256:<hex>" -> "<hex>"; the check keeps a digest from being a path.
absl::StatusOr<std::string> hexOf(const std::string& digest) {
    const bool prefixed = digest.compare(0, kAlgorithm.size(), kAlgorithm) == 0;
    const std::string hex = prefixed ? digest.substr(kAlgorithm.size()) : "";
    if (hex.size() != kHexDigits || !std::all_of(hex.begin(), hex.end(), isHexDigit)) {
        return invalidArgument("'" + digest.substr(0, 80) + "' is not a sha256 digest");
    }
    return hex;
}

absl::Status syncDirectory(const std::string& directory) {
    HS_ASSIGN_OR_RETURN(const UniqueFd fd, openFile(directory, O_RDONLY | O_DIRECTORY));
    if (::fsync(fd.get()) != 0) return errnoStatus(errno, "fsync(" + directory + ")");
    return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> namesIn(const std::string& directory) {
    std::vector<std::string> names;
    std::error_code error;
    std::filesystem::directory_iterator entries(directory, error);
    for (const std::filesystem::directory_iterator end; !error && entries != end; entries.increment(error)) {
        names.push_back(entries->path().filename().string());
    }
    if (error) return errnoStatus(error.value(), "list " + directory);
    return names;
}

}  // namespace

struct Receiver::Hash {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    Hash() = default;
    ~Hash() { EVP_MD_CTX_free(context); }
    Hash(const Hash&) = delete;
    Hash& operator=(const Hash&) = delete;
};

Receiver::Receiver(std::string directory, std::string temporary, UniqueFd fd)
    : directory_(std::move(directory)),
      temporary_(std::move(temporary)),
      fd_(std::move(fd)),
      hash_(std::make_unique<Hash>()) {}

Receiver::~Receiver() {
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

absl::Status Receiver::write(const std::string& data) {
    HS_RETURN_IF_ERROR_CTX(writeAll(fd_.get(), data), temporary_);
    if (EVP_DigestUpdate(hash_->context, data.data(), data.size()) != 1) return internalError("SHA-256 update");
    size_ += data.size();
    return absl::OkStatus();
}

absl::StatusOr<std::string> Receiver::finish() {
    if (size_ == 0) return invalidArgument("the archive is empty");
    if (::fsync(fd_.get()) != 0) return errnoStatus(errno, "fsync(" + temporary_ + ")");
    fd_.reset();
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    if (EVP_DigestFinal_ex(hash_->context, digest.data(), &size) != 1) return internalError("SHA-256 final");
    digest_ = kAlgorithm;
    for (unsigned i = 0; i < size; ++i) digest_ += fmt::format("{:02x}", digest[i]);
    return digest_;
}

absl::Status Receiver::publish() {
    HS_ASSIGN_OR_RETURN(const std::string hex, hexOf(digest_));
    const std::string path = directory_ + "/" + hex;
    if (::rename(temporary_.c_str(), path.c_str()) != 0) return errnoStatus(errno, "rename to " + path);
    temporary_.clear();
    return syncDirectory(directory_);
}

absl::StatusOr<std::unique_ptr<ImageFiles>> ImageFiles::open(const std::string& directory) {
    HS_RETURN_IF_ERROR(makeDirectories(directory, 0700));
    HS_ASSIGN_OR_RETURN(const std::vector<std::string> names, namesIn(directory));
    for (const std::string& name : names) {
        if (std::filesystem::path(name).extension() != kTemporarySuffix) continue;
        HS_RETURN_IF_ERROR(removeTree(directory + "/" + name));
    }
    return std::unique_ptr<ImageFiles>(new ImageFiles(directory));
}

absl::StatusOr<std::unique_ptr<Receiver>> ImageFiles::receive() {
    const std::string temporary = directory_ + "/" + randomId() + kTemporarySuffix;
    HS_ASSIGN_OR_RETURN(UniqueFd fd, openFile(temporary, O_WRONLY | O_CREAT | O_EXCL, 0600));
    std::unique_ptr<Receiver> receiver(new Receiver(directory_, temporary, std::move(fd)));
    EVP_MD_CTX* context = receiver->hash_->context;
    if (context == nullptr || EVP_DigestInit_ex(context, EVP_sha256(), nullptr) != 1) {
        return internalError("SHA-256 is not available");
    }
    return receiver;
}

absl::StatusOr<UniqueFd> ImageFiles::openArchive(const std::string& digest) const {
    HS_ASSIGN_OR_RETURN(const std::string hex, hexOf(digest));
    auto fd = openFile(directory_ + "/" + hex, O_RDONLY);
    if (!fd.ok() && errnoOf(fd.status()) == ENOENT) return notFound("no image with digest " + digest);
    return fd;
}

void ImageFiles::keepOnly(const std::set<std::string>& digests) {
    const auto names = namesIn(directory_);
    if (!names.ok()) {
        logWarning("images: {}", messageOf(names.status()));
        return;
    }
    for (const std::string& name : *names) {
        if (name.size() != kHexDigits || digests.count(kAlgorithm + name) != 0) continue;
        const absl::Status removed = removeTree(directory_ + "/" + name);
        if (removed.ok()) {
            logInfo("image archive {} removed: nothing uses it", name);
        } else {
            logWarning("images: {}", messageOf(removed));
        }
    }
}

}  // namespace homeslice::controller
