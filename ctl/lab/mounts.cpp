#include "ctl/lab/mounts.h"

#include <sys/mount.h>

#include <cerrno>
#include <sstream>

#include "base/file.h"
#include "base/status.h"

namespace homeslice::ctl::lab {
namespace {

bool isOctal(const std::string& text, size_t at) {
    if (at + 3 >= text.size() || text[at] != '\\') return false;
    return text.find_first_not_of("01234567", at + 1) >= at + 4;
}

// The kernel writes blanks and backslashes as \ooo.
std::string unescape(const std::string& text) {
    std::string result;
    for (size_t i = 0; i < text.size(); ++i) {
        if (isOctal(text, i)) {
            result += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
            i += 3;
        } else {
            result += text[i];
        }
    }
    return result;
}

// "36 35 98:0 /root /mount/point options [tags...] - type source options"
bool parseLine(const std::string& line, Mount& mount) {
    std::istringstream fields(line);
    std::string field;
    for (int i = 0; i < 4; ++i) fields >> field;
    if (!(fields >> mount.point)) return false;
    while (fields >> field && field != "-") {
    }
    mount.point = unescape(mount.point);
    return static_cast<bool>(fields >> mount.type);
}

}  // namespace

std::vector<Mount> parseMountInfo(const std::string& text) {
    std::vector<Mount> mounts;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        Mount mount;
        if (parseLine(line, mount)) mounts.push_back(mount);
    }
    return mounts;
}

absl::StatusOr<std::vector<Mount>> listMounts() {
    HS_ASSIGN_OR_RETURN(const std::string text, readFile("/proc/self/mountinfo"));
    return parseMountInfo(text);
}

absl::Status unmountBelow(const std::string& directory) {
    HS_ASSIGN_OR_RETURN(const std::vector<Mount> mounts, listMounts());
    for (auto mount = mounts.rbegin(); mount != mounts.rend(); ++mount) {
        if (mount->point != directory && !mount->point.starts_with(directory + "/")) continue;
        if (::umount2(mount->point.c_str(), UMOUNT_NOFOLLOW) == 0) continue;
        // Busy: somebody looks at it. It goes when they are done.
        if (::umount2(mount->point.c_str(), UMOUNT_NOFOLLOW | MNT_DETACH) != 0 && errno != EINVAL) {
            return errnoStatus(errno, "unmount " + mount->point);
        }
    }
    return absl::OkStatus();
}

}  // namespace homeslice::ctl::lab
