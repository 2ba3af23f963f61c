#include "oci/tar_reader.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>

#include <cerrno>
#include <utility>

#include "base/file.h"
#include "base/status.h"

namespace homeslice::oci {
namespace {

constexpr size_t kReadSize = size_t{256} << 10;

}  // namespace

void TarReader::Free::operator()(archive* reader) const { archive_read_free(reader); }

TarReader::TarReader(std::unique_ptr<Input> input, Limits limits)
    : input_(std::move(input)), reader_(archive_read_new()), limits_(limits) {
    archive_read_support_format_tar(reader_.get());
    archive_read_support_filter_gzip(reader_.get());
    archive_read_support_filter_zstd(reader_.get());
}

absl::StatusOr<TarReader> TarReader::openFile(const std::string& path, Limits limits) {
    auto input = std::make_unique<Input>();
    HS_ASSIGN_OR_RETURN(input->fd, homeslice::openFile(path, O_RDONLY));
    return open(std::move(input), limits);
}

absl::StatusOr<TarReader> TarReader::openSource(Source source, Limits limits) {
    auto input = std::make_unique<Input>();
    input->source = std::move(source);
    return open(std::move(input), limits);
}

absl::StatusOr<TarReader> TarReader::open(std::unique_ptr<Input> input, Limits limits) {
    TarReader tar(std::move(input), limits);
    if (tar.reader_ == nullptr) return errnoStatus(ENOMEM, "archive_read_new");
    const auto read = [](archive* reader, void* data, const void** piece) -> la_ssize_t {
        auto* from = static_cast<Input*>(data);
        const auto next = from->source();
        if (!next.ok()) {
            from->status = next.status();
            archive_set_error(reader, EIO, "the source failed");
            return -1;
        }
        *piece = next->data();
        return static_cast<la_ssize_t>(next->size());
    };
    Input* from = tar.input_.get();
    const int result = from->fd.valid() ? archive_read_open_fd(tar.reader_.get(), from->fd.get(), kReadSize)
                                        : archive_read_open(tar.reader_.get(), from, nullptr, read, nullptr);
    if (result != ARCHIVE_OK) return tar.failure("not a tar archive");
    return tar;
}

absl::StatusOr<archive_entry*> TarReader::next() {
    archive_entry* entry = nullptr;
    const int result = archive_read_next_header(reader_.get(), &entry);
    if (result == ARCHIVE_EOF) return nullptr;
    // ARCHIVE_WARN tells that a name is not in the locale's character set; the name is there, as raw bytes.
    if (result != ARCHIVE_OK && result != ARCHIVE_WARN) return failure("read the next member");
    HS_RETURN_IF_ERROR(checkLimits(entry));
    return entry;
}

absl::StatusOr<std::optional<TarReader::Block>> TarReader::nextBlock() {
    const void* data = nullptr;
    size_t size = 0;
    la_int64_t offset = 0;
    const int result = archive_read_data_block(reader_.get(), &data, &size, &offset);
    if (result == ARCHIVE_EOF) return std::nullopt;
    if (result != ARCHIVE_OK && result != ARCHIVE_WARN) return failure("read a member");
    return Block{{static_cast<const char*>(data), size}, offset};
}

absl::Status TarReader::checkLimits(archive_entry* entry) {
    if (++members_ > limits_.members) {
        return invalidArgument("more than " + std::to_string(limits_.members) + " members");
    }
    const auto size = archive_entry_size(entry);
    const auto read = archive_filter_bytes(reader_.get(), 0);
    if (size < 0 || static_cast<uint64_t>(size) > limits_.bytes - bytes_ ||
        static_cast<uint64_t>(read) > limits_.bytes) {
        return invalidArgument("more than " + std::to_string(limits_.bytes >> 30U) + " GiB of content");
    }
    bytes_ += static_cast<uint64_t>(size);
    return absl::OkStatus();
}

absl::Status TarReader::failure(const char* what) const {
    if (!input_->status.ok()) return input_->status;
    const int err = archive_errno(reader_.get());
    if (err == EIO || err == ENOMEM || err == EISDIR) return errnoStatus(err, what);
    const char* reason = archive_error_string(reader_.get());
    return invalidArgument(std::string(what) + ": " + (reason != nullptr ? reason : "unknown error"));
}

}  // namespace homeslice::oci
