// Writes archive members below one directory and nowhere else.
//
// Every name is resolved below the directory (openat2(2) with RESOLVE_BENEATH), so neither ".." nor a symbolic or hard
// link, whenever it was written, leads out. No function changes the process's working directory or root.
// One thread at a time. INVALID_ARGUMENT when a member is malformed or leads out. Needs CAP_CHOWN, CAP_FOWNER,
// CAP_DAC_OVERRIDE and, for what the rules allow, CAP_MKNOD, CAP_SETFCAP and CAP_SYS_ADMIN.
#pragma once

#include <absl/status/statusor.h>
#include <sys/types.h>
#include <time.h>

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/unique_fd.h"
#include "oci/tar_reader.h"

namespace homeslice::oci {

enum class Devices {
    left_out,        // an image: a sliver's devices are not its image's business
    whiteouts_only,  // an overlay's upper directory: character devices 0/0 are made, others refused
};

struct TreeRules {
    Devices devices = Devices::left_out;
    uint32_t first_id = 0;      // added to each owner and group
    uint32_t ids = 0xffffffff;  // owners and groups from here on are refused (-1 is never valid)
    // Whether to keep an xattr; may change its value, which the archive gave.
    std::function<bool(const std::string& name, std::string& value)> keep_xattr;
};

class TreeWriter {
public:
    // FAILED_PRECONDITION unless `root` is an existing empty directory.
    static absl::StatusOr<TreeWriter> open(const std::string& root, TreeRules rules);

    // Writes `entry`, the current member of `tar`, as `path` (from memberPath()); replaces what is there, except that a
    // directory over a directory keeps its content. Missing parents are made.
    absl::Status add(TarReader& tar, archive_entry* entry, const std::string& path);
    // Removes `path` and all below; a missing one is fine.
    absl::Status remove(const std::string& path);
    // Removes all below the directory `path`; a missing one is fine.
    absl::Status clear(const std::string& path);
    // Sets the times of directories, which writing into them has changed. Call last.
    absl::Status finish();

private:
    using Times = std::array<timespec, 2>;

    TreeWriter(UniqueFd root, TreeRules rules) : root_(std::move(root)), rules_(std::move(rules)) {}

    absl::StatusOr<UniqueFd> openDirectory(const std::string& path) const;
    absl::StatusOr<UniqueFd> makeDirectory(const std::string& path);
    absl::StatusOr<int> parentDirectory(const std::string& path);
    absl::Status removeAt(int parent, const std::string& name);
    absl::Status replacing(int parent, const std::string& name, const std::function<int()>& make);

    absl::Status addHardLink(archive_entry* entry, int parent, const std::string& name);
    absl::Status addFile(TarReader& tar, archive_entry* entry, int parent, const std::string& name);
    absl::Status addDirectory(archive_entry* entry, int parent, const std::string& path);
    absl::Status addSymlink(archive_entry* entry, int parent, const std::string& name);
    absl::Status addNode(archive_entry* entry, int parent, const std::string& name);

    absl::Status setAttributes(archive_entry* entry, int parent, const std::string& name);
    absl::Status setXattrs(archive_entry* entry, int parent, const std::string& name);

    UniqueFd root_;
    TreeRules rules_;
    // Members of one directory come together: the parent of the last one stays open.
    std::string parent_path_;
    UniqueFd parent_;
    std::vector<std::pair<std::string, Times>> directory_times_;
};

}  // namespace homeslice::oci
