#include <archive_entry.h>

#include <cerrno>
#include <memory>
#include <vector>

#include "base/status.h"
#include "noded/migration/disk.h"
#include "noded/migration/id_xattrs.h"
#include "oci/member_path.h"
#include "oci/tar_reader.h"
#include "oci/tree_writer.h"

namespace homeslice::migration {
namespace {

// Far beyond any sliver's disk; the receiving file system is the limit that counts.
constexpr oci::Limits kDiskLimits{.members = 50'000'000, .bytes = uint64_t{16} << 40};
constexpr size_t kReadSize = size_t{256} << 10;

// The stream, and whether its end was seen: an archive that is bad because it was cut off is lost data.
struct Stream {
    int fd = -1;
    bool ended = false;
    std::vector<char> buffer = std::vector<char>(kReadSize);

    absl::StatusOr<std::string_view> read() {
        for (;;) {
            const ssize_t n = ::read(fd, buffer.data(), buffer.size());
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return errnoStatus(errno, "read the disk's stream");
            ended = n == 0;
            return std::string_view(buffer.data(), static_cast<size_t>(n));
        }
    }
};

oci::TreeRules diskRules(uint32_t first_id) {
    oci::TreeRules rules;
    rules.devices = oci::Devices::whiteouts_only;
    rules.first_id = first_id;
    rules.ids = kIdsPerSliver;
    rules.keep_xattr = [first_id](const std::string& name, std::string& value) {
        return isDiskXattr(name) && idsToHost(name, value, first_id);
    };
    return rules;
}

absl::Status unpack(const std::shared_ptr<Stream>& stream, oci::TreeWriter& tree) {
    HS_ASSIGN_OR_RETURN(oci::TarReader tar,
                        oci::TarReader::openSource([stream] { return stream->read(); }, kDiskLimits));
    for (bool complete = false;;) {
        HS_ASSIGN_OR_RETURN(archive_entry * entry, tar.next());
        if (entry == nullptr) return complete ? tree.finish() : dataLoss("the disk's stream has no end mark");
        if (complete) return invalidArgument("the disk's stream goes on after its end mark");
        HS_ASSIGN_OR_RETURN(const std::string path, oci::memberPath(archive_entry_pathname(entry)));
        HS_RETURN_IF_ERROR(tree.add(tar, entry, path));
        complete = path.empty();
    }
}

}  // namespace

absl::Status importDisk(int fd, const std::string& upper_directory, uint32_t first_id) {
    HS_ASSIGN_OR_RETURN(oci::TreeWriter tree, oci::TreeWriter::open(upper_directory, diskRules(first_id)));
    const auto stream = std::make_shared<Stream>();
    stream->fd = fd;
    const absl::Status status = unpack(stream, tree);
    const bool cut_off = status.code() == absl::StatusCode::kInvalidArgument && stream->ended;
    const std::string context = "unpack into " + upper_directory;
    return withContext(cut_off ? dataLoss("the disk's stream ends early: " + messageOf(status)) : status, context);
}

}  // namespace homeslice::migration
